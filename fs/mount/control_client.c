#include "fs/mount/control_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "fs/mount/control.h"

#define REPLY_MAX ((size_t)64 << 20)
#define PIECE     4096

static int connect_to(int volume_dirfd, int *fd_out)
{
    const struct timeval timeout = {.tv_sec = 10};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), errnum;

    if (fd < 0)
        return pfs_fail_errno(errno, "socket");
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", volume_dirfd, PFS_CONTROL_NAME);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
        *fd_out = fd;
        return 0;
    }
    errnum = errno;
    close(fd);
    if (errnum == ENOENT || errnum == ECONNREFUSED)
        return pfs_fail(PFS_ENOENT, "no mount of this volume is running here");
    return pfs_fail_errno(errnum, "connecting to the running mount");
}

static int send_line(int fd, const char *line)
{
    char text[PFS_CONTROL_LINE_MAX];
    int len = snprintf(text, sizeof(text), "%s\n", line);

    if (len < 0 || (size_t)len >= sizeof(text))
        return pfs_fail(PFS_EINVAL, "the command is too long");
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        return pfs_fail_errno(errno, "asking the running mount");
    return 0;
}

static int receive(int fd, struct pfs_buf *reply)
{
    ssize_t n;
    int err;

    do {
        err = pfs_buf_reserve(reply, PIECE);
        if (err)
            return err;
        n = recv(fd, reply->data + reply->len, reply->cap - reply->len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return pfs_fail(PFS_EIO, "the running mount did not answer in ten seconds");
        if (n < 0 && errno != EINTR)
            return pfs_fail_errno(errno, "the running mount's answer");
        if (n > 0)
            reply->len += (size_t)n;
    } while (n != 0);
    if (reply->len == 0)
        return pfs_fail(PFS_EIO, "the running mount closed the connection without an answer");
    return pfs_buf_add(reply, "", 1);
}

int pfs_control_request(int volume_dirfd, const char *line, char **reply_out)
{
    struct pfs_buf reply;
    int fd = -1, err = connect_to(volume_dirfd, &fd);

    if (err)
        return err;
    pfs_buf_init(&reply, REPLY_MAX);
    err = send_line(fd, line);
    if (!err)
        err = receive(fd, &reply);
    close(fd);
    if (err)
        pfs_buf_release(&reply);
    else
        *reply_out = (char *)reply.data;
    return err;
}
