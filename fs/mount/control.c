#include "fs/mount/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/mount/status.h"

#define PEER_TIMEOUT_MS 2000

struct pfs_control {
    struct pfs_mount *m;
    pthread_t thread;
    int listen_fd;
    int quit_fd; /* readable when the thread is to end */
};

/* --- one client ------------------------------------------------------------------------------ */

/* Wait until the peer can be read from or written to; false when its time is over. */
static bool await_peer(int fd, short events, uint64_t deadline_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    uint64_t now = pfs_mono_ns();

    return now < deadline_ns && poll(&p, 1, (int)((deadline_ns - now) / 1000000) + 1) == 1;
}

/* The client's line without its newline. False if it says none in time, or too long a one. */
static bool read_line(int fd, char line[PFS_CONTROL_LINE_MAX])
{
    const uint64_t deadline = pfs_mono_ns() + PEER_TIMEOUT_MS * UINT64_C(1000000);
    size_t len = 0;
    ssize_t n;
    char *end;

    while (len < PFS_CONTROL_LINE_MAX - 1 && await_peer(fd, POLLIN, deadline)) {
        n = recv(fd, line + len, PFS_CONTROL_LINE_MAX - 1 - len, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        len += (size_t)n;
        line[len] = '\0';
        end = memchr(line, '\n', len);
        if (end) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

static void send_all(int fd, const char *text, size_t len)
{
    const uint64_t deadline = pfs_mono_ns() + PEER_TIMEOUT_MS * UINT64_C(1000000);
    ssize_t n;

    while (len > 0 && await_peer(fd, POLLOUT, deadline)) {
        n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static json_t *answer(struct pfs_mount *m, const char *line)
{
    if (strcmp(line, "status") == 0)
        return pfs_status_json(m);
    return json_pack("{s:s}", "error", "unknown command; there is: status");
}

static void serve_client(struct pfs_mount *m, int fd)
{
    char line[PFS_CONTROL_LINE_MAX], *text;
    json_t *json;

    if (!read_line(fd, line))
        return;
    json = answer(m, line);
    text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    if (text) {
        send_all(fd, text, strlen(text));
        send_all(fd, "\n", 1);
    }
    free(text);
    json_decref(json);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *serve_clients(void *arg)
{
    struct pfs_control *c = arg;
    struct pollfd p[] = {{.fd = c->listen_fd, .events = POLLIN},
                         {.fd = c->quit_fd, .events = POLLIN}};
    int fd;

    for (;;) {
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents)
            return NULL;
        fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_client(c->m, fd);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            /* The client stays in the queue; look again when something may have been closed. */
            poll(&p[1], 1, 1000);
        }
    }
}

/* A socket's name may have 107 bytes; a volume's path may be longer, its descriptor's is not. */
static struct sockaddr_un address(struct pfs_mount *m)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", pfs_volume_dirfd(m->volume),
             PFS_CONTROL_NAME);
    return a;
}

static int listen_on(struct pfs_control *c)
{
    struct sockaddr_un a = address(c->m);

    c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listen_fd < 0)
        return pfs_fail_errno(errno, "control socket");
    /* The file takes its mode from the socket: there is no moment in which others may connect. */
    if (fchmod(c->listen_fd, 0600) != 0)
        return pfs_fail_errno(errno, "control socket");
    unlinkat(pfs_volume_dirfd(c->m->volume), PFS_CONTROL_NAME, 0);
    if (bind(c->listen_fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(c->listen_fd, 8) != 0)
        return pfs_fail_errno(errno, "%s/%s", pfs_volume_path(c->m->volume), PFS_CONTROL_NAME);
    return 0;
}

static void close_all(struct pfs_control *c)
{
    if (c->listen_fd >= 0)
        close(c->listen_fd);
    if (c->quit_fd >= 0)
        close(c->quit_fd);
    free(c);
}

int pfs_control_start(struct pfs_mount *m, struct pfs_control **out)
{
    struct pfs_control *c = malloc(sizeof(*c));
    int err, errnum;

    if (!c)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    *c = (struct pfs_control){.m = m, .listen_fd = -1, .quit_fd = eventfd(0, EFD_CLOEXEC)};
    err = c->quit_fd < 0 ? pfs_fail_errno(errno, "eventfd") : listen_on(c);
    if (!err) {
        errnum = pthread_create(&c->thread, NULL, serve_clients, c);
        if (errnum)
            err = pfs_fail_errno(errnum, "starting the control thread");
    }
    if (err)
        close_all(c);
    else
        *out = c;
    return err;
}

void pfs_control_stop(struct pfs_control *c)
{
    const uint64_t one = 1;

    if (!c)
        return;
    if (write(c->quit_fd, &one, sizeof(one)) != sizeof(one))
        pfs_log_error("mount", "eventfd: %s", strerror(errno));
    pthread_join(c->thread, NULL);
    unlinkat(pfs_volume_dirfd(c->m->volume), PFS_CONTROL_NAME, 0);
    close_all(c);
}
