#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>

int pfs_io_read_file(struct pfs_io *io, const char *name, size_t max, void **data_out,
                     size_t *len_out)
{
    struct pfs_file *file;
    uint64_t size;
    void *data;
    int err = io->ops->open(io, name, PFS_IO_RDONLY, &file);

    if (err)
        return err;
    err = io->ops->size(file, &size);
    if (err)
        goto out;
    if (size > max) {
        err = pfs_fail(PFS_ECORRUPT, "%s: %llu bytes, but at most %zu make sense", name,
                       (unsigned long long)size, max);
        goto out;
    }
    data = malloc(size + 1);
    if (!data) {
        err = pfs_fail(PFS_ENOMEM, "%s: out of memory", name);
        goto out;
    }
    err = io->ops->pread(file, data, size, 0);
    if (err) {
        free(data);
        goto out;
    }
    ((char *)data)[size] = '\0';
    *data_out = data;
    *len_out = size;
out:
    io->ops->close(file);
    return err;
}

int pfs_io_replace_file(struct pfs_io *io, const char *dir, const char *name, const void *data,
                        size_t len)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct pfs_file *file;
    char tmp[512];
    int err;

    snprintf(tmp, sizeof(tmp), "%s.new", name);
    err = io->ops->unlink(io, tmp);
    if (err && err != PFS_ENOENT)
        return err;
    err = io->ops->open(io, tmp, PFS_IO_RDWR | PFS_IO_CREATE, &file);
    if (err)
        return err;
    err = io->ops->pwritev(file, &iov, 1, 0);
    if (!err)
        err = io->ops->sync(file);
    io->ops->close(file);
    if (!err)
        err = io->ops->rename(io, tmp, name);
    if (!err)
        err = io->ops->sync_dir(io, dir);
    return err;
}
