#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/blocking.h"
#include "base/io.h"

struct posix_io {
    struct pfs_io base;
    int dirfd;
    char *path; /* for messages */
};

struct posix_file {
    struct pfs_file base;
    int fd;
    char *name; /* whole path, for messages */
};

static const struct pfs_io_ops posix_ops;

static struct posix_io *io_of(struct pfs_io *io)
{
    return (struct posix_io *)io;
}

static struct posix_file *file_of(struct pfs_file *file)
{
    return (struct posix_file *)file;
}

static int posix_open(struct pfs_io *io, const char *name, int flags, struct pfs_file **out)
{
    struct posix_io *p = io_of(io);
    int oflags = O_CLOEXEC | (flags & PFS_IO_RDWR ? O_RDWR : O_RDONLY);
    struct posix_file *file;

    if (flags & PFS_IO_CREATE)
        oflags |= O_CREAT | O_EXCL;
    file = calloc(1, sizeof(*file));
    if (!file || asprintf(&file->name, "%s/%s", p->path, name) < 0) {
        free(file);
        return pfs_fail(PFS_ENOMEM, "%s/%s: out of memory", p->path, name);
    }
    file->base.ops = &posix_ops;
    file->fd = openat(p->dirfd, name, oflags, 0600);
    if (file->fd < 0) {
        int err = pfs_fail_errno(errno, "cannot open %s", file->name);

        free(file->name);
        free(file);
        return err;
    }
    *out = &file->base;
    return 0;
}

static void posix_close(struct pfs_file *base)
{
    struct posix_file *file = file_of(base);

    close(file->fd);
    free(file->name);
    free(file);
}

/* pread; where the bytes are not in memory, say that this will take a while. */
static ssize_t pread_saying(int fd, void *buf, size_t len, off_t off)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    ssize_t n = preadv2(fd, &iov, 1, off, RWF_NOWAIT);

    if (n > 0)
        return n;
    pfs_blocking();
    return pread(fd, buf, len, off);
}

static int posix_pread(struct pfs_file *base, void *buf, size_t len, uint64_t off)
{
    struct posix_file *file = file_of(base);
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread_saying(file->fd, (char *)buf + done, len - done, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pfs_fail_errno(errno, "%s: cannot read %zu bytes at offset %llu", file->name,
                                  len, (unsigned long long)off);
        if (n == 0)
            return pfs_fail(PFS_ECORRUPT,
                            "%s: truncated: %zu bytes at offset %llu are needed, %zu are there",
                            file->name, len, (unsigned long long)off, done);
        done += (size_t)n;
    }
    return 0;
}

static int posix_pwritev(struct pfs_file *base, const struct iovec *iov, int iovcnt, uint64_t off)
{
    struct posix_file *file = file_of(base);
    size_t skip = 0; /* bytes of iov[0] already written */

    while (iovcnt > 0) {
        ssize_t n;

        if (skip > 0)
            n = pwrite(file->fd, (char *)iov->iov_base + skip, iov->iov_len - skip, (off_t)off);
        else
            n = pwritev(file->fd, iov, iovcnt < IOV_MAX ? iovcnt : IOV_MAX, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pfs_fail_errno(errno, "%s: cannot write at offset %llu", file->name,
                                  (unsigned long long)off);
        off += (uint64_t)n;
        skip += (size_t)n;
        while (iovcnt > 0 && skip >= iov->iov_len) {
            skip -= iov->iov_len;
            iov++;
            iovcnt--;
        }
    }
    return 0;
}

static int posix_sync(struct pfs_file *base)
{
    struct posix_file *file = file_of(base);

    if (fdatasync(file->fd) < 0)
        return pfs_fail_errno(errno, "%s: fdatasync failed", file->name);
    return 0;
}

static void posix_writeback(struct pfs_file *base, uint64_t off, uint64_t len)
{
    (void)!sync_file_range(file_of(base)->fd, (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

static int posix_size(struct pfs_file *base, uint64_t *size_out)
{
    struct posix_file *file = file_of(base);
    struct stat st;

    if (fstat(file->fd, &st) < 0)
        return pfs_fail_errno(errno, "%s: cannot stat", file->name);
    *size_out = (uint64_t)st.st_size;
    return 0;
}

static int posix_allocate(struct pfs_file *base, uint64_t len)
{
    struct posix_file *file = file_of(base);
    int errnum = posix_fallocate(file->fd, 0, (off_t)len);

    if (errnum)
        return pfs_fail_errno(errnum, "%s: cannot reserve %llu bytes", file->name,
                              (unsigned long long)len);
    return 0;
}

static int posix_rename(struct pfs_io *io, const char *from, const char *to)
{
    struct posix_io *p = io_of(io);

    if (renameat(p->dirfd, from, p->dirfd, to) < 0)
        return pfs_fail_errno(errno, "cannot rename %s/%s to %s", p->path, from, to);
    return 0;
}

static int posix_unlink(struct pfs_io *io, const char *name)
{
    struct posix_io *p = io_of(io);

    if (unlinkat(p->dirfd, name, 0) < 0)
        return pfs_fail_errno(errno, "cannot remove %s/%s", p->path, name);
    return 0;
}

static int posix_mkdir(struct pfs_io *io, const char *name)
{
    struct posix_io *p = io_of(io);

    if (mkdirat(p->dirfd, name, 0700) < 0)
        return pfs_fail_errno(errno, "cannot make directory %s/%s", p->path, name);
    return 0;
}

static int posix_sync_dir(struct pfs_io *io, const char *name)
{
    struct posix_io *p = io_of(io);
    int fd = openat(p->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = 0;

    if (fd < 0)
        return pfs_fail_errno(errno, "cannot open directory %s/%s", p->path, name);
    if (fsync(fd) < 0)
        err = pfs_fail_errno(errno, "cannot sync directory %s/%s", p->path, name);
    close(fd);
    return err;
}

static int posix_list(struct pfs_io *io, const char *name, pfs_io_list_cb *cb, void *ctx)
{
    struct posix_io *p = io_of(io);
    int fd = openat(p->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *dir;
    int err = 0;

    if (fd < 0)
        return pfs_fail_errno(errno, "cannot open directory %s/%s", p->path, name);
    dir = fdopendir(fd);
    if (!dir) {
        err = pfs_fail_errno(errno, "cannot read directory %s/%s", p->path, name);
        close(fd);
        return err;
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        err = cb(ctx, entry->d_name);
        if (err)
            break;
    }
    if (!err && errno)
        err = pfs_fail_errno(errno, "cannot read directory %s/%s", p->path, name);
    closedir(dir);
    return err;
}

static int posix_space(struct pfs_io *io, uint64_t *free_out, uint64_t *total_out)
{
    struct posix_io *p = io_of(io);
    struct statvfs st;

    if (fstatvfs(p->dirfd, &st) < 0)
        return pfs_fail_errno(errno, "cannot statvfs %s", p->path);
    *free_out = (uint64_t)st.f_bavail * st.f_frsize;
    *total_out = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

static void posix_destroy(struct pfs_io *io)
{
    struct posix_io *p = io_of(io);

    close(p->dirfd);
    free(p->path);
    free(p);
}

static const struct pfs_io_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .pwritev = posix_pwritev,
    .sync = posix_sync,
    .writeback = posix_writeback,
    .size = posix_size,
    .allocate = posix_allocate,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .sync_dir = posix_sync_dir,
    .list = posix_list,
    .space = posix_space,
    .destroy = posix_destroy,
};

int pfs_io_posix_create(const char *path, struct pfs_io **out)
{
    struct posix_io *p = calloc(1, sizeof(*p));

    if (!p)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    p->base.ops = &posix_ops;
    p->path = strdup(path);
    p->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dirfd < 0 || !p->path) {
        int err = pfs_fail_errno(p->path ? errno : ENOMEM, "cannot open directory %s", path);

        if (p->dirfd >= 0)
            close(p->dirfd);
        free(p->path);
        free(p);
        return err;
    }
    *out = &p->base;
    return 0;
}

int pfs_io_posix_dirfd(struct pfs_io *io)
{
    return io_of(io)->dirfd;
}
