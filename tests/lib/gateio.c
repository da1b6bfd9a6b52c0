#include "tests/lib/gateio.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct gateio {
    struct pfs_io base;
    struct pfs_io *inner;
    struct pfs_io_ops ops;
    pthread_mutex_t mu;
    pthread_cond_t changed;
    bool shut;           /* guarded by mu */
    unsigned waiting;    /* guarded by mu */
    const char *refused; /* guarded by mu: part of names, or NULL */
    int refusal;
};

struct gate_file {
    struct pfs_file base;
    struct gateio *gate;
    struct pfs_file *inner;
};

static struct pfs_io *inner_of(struct pfs_io *io)
{
    return ((struct gateio *)io)->inner;
}

static struct pfs_file *file_of(struct pfs_file *file)
{
    return ((struct gate_file *)file)->inner;
}

static int refuses(struct gateio *gate, const char *name)
{
    int err = 0;

    pthread_mutex_lock(&gate->mu);
    if (gate->refused && strstr(name, gate->refused))
        err = pfs_fail(gate->refusal, "%s: can't be made, as the test wants it", name);
    pthread_mutex_unlock(&gate->mu);
    return err;
}

static int gate_open(struct pfs_io *io, const char *name, int flags, struct pfs_file **out)
{
    struct gateio *gate = (struct gateio *)io;
    int err = flags & PFS_IO_CREATE ? refuses(gate, name) : 0;
    struct gate_file *file;

    if (err)
        return err;
    file = calloc(1, sizeof(*file));
    if (!file)
        abort();
    file->base.ops = &gate->ops;
    file->gate = gate;
    err = gate->inner->ops->open(gate->inner, name, flags, &file->inner);
    if (err)
        free(file);
    else
        *out = &file->base;
    return err;
}

static void gate_close(struct pfs_file *file)
{
    file_of(file)->ops->close(file_of(file));
    free(file);
}

static int gate_sync(struct pfs_file *file)
{
    struct gateio *gate = ((struct gate_file *)file)->gate;

    pthread_mutex_lock(&gate->mu);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (gate->shut)
        pthread_cond_wait(&gate->changed, &gate->mu);
    gate->waiting--;
    pthread_mutex_unlock(&gate->mu);
    return file_of(file)->ops->sync(file_of(file));
}

static int gate_pread(struct pfs_file *file, void *buf, size_t len, uint64_t off)
{
    return file_of(file)->ops->pread(file_of(file), buf, len, off);
}

static int gate_pwritev(struct pfs_file *file, const struct iovec *iov, int iovcnt, uint64_t off)
{
    return file_of(file)->ops->pwritev(file_of(file), iov, iovcnt, off);
}

static void gate_writeback(struct pfs_file *file, uint64_t off, uint64_t len)
{
    file_of(file)->ops->writeback(file_of(file), off, len);
}

static int gate_size(struct pfs_file *file, uint64_t *size_out)
{
    return file_of(file)->ops->size(file_of(file), size_out);
}

static int gate_allocate(struct pfs_file *file, uint64_t len)
{
    return file_of(file)->ops->allocate(file_of(file), len);
}

static int gate_rename(struct pfs_io *io, const char *from, const char *to)
{
    return inner_of(io)->ops->rename(inner_of(io), from, to);
}

static int gate_unlink(struct pfs_io *io, const char *name)
{
    return inner_of(io)->ops->unlink(inner_of(io), name);
}

static int gate_mkdir(struct pfs_io *io, const char *name)
{
    return inner_of(io)->ops->mkdir(inner_of(io), name);
}

static int gate_sync_dir(struct pfs_io *io, const char *name)
{
    return inner_of(io)->ops->sync_dir(inner_of(io), name);
}

static int gate_list(struct pfs_io *io, const char *name, pfs_io_list_cb *cb, void *ctx)
{
    return inner_of(io)->ops->list(inner_of(io), name, cb, ctx);
}

static int gate_space(struct pfs_io *io, uint64_t *free_out, uint64_t *total_out)
{
    return inner_of(io)->ops->space(inner_of(io), free_out, total_out);
}

static void gate_destroy(struct pfs_io *io)
{
    struct gateio *gate = (struct gateio *)io;

    pthread_mutex_destroy(&gate->mu);
    pthread_cond_destroy(&gate->changed);
    free(gate);
}

struct pfs_io *gateio_create(struct pfs_io *inner)
{
    struct gateio *gate = calloc(1, sizeof(*gate));

    if (!gate)
        abort();
    gate->ops = (struct pfs_io_ops){
        .open = gate_open,
        .close = gate_close,
        .pread = gate_pread,
        .pwritev = gate_pwritev,
        .sync = gate_sync,
        .writeback = gate_writeback,
        .size = gate_size,
        .allocate = gate_allocate,
        .rename = gate_rename,
        .unlink = gate_unlink,
        .mkdir = gate_mkdir,
        .sync_dir = gate_sync_dir,
        .list = gate_list,
        .space = gate_space,
        .destroy = gate_destroy,
    };
    gate->base.ops = &gate->ops;
    gate->inner = inner;
    pthread_mutex_init(&gate->mu, NULL);
    pthread_cond_init(&gate->changed, NULL);
    return &gate->base;
}

void gateio_shut(struct pfs_io *io, bool shut)
{
    struct gateio *gate = (struct gateio *)io;

    pthread_mutex_lock(&gate->mu);
    gate->shut = shut;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mu);
}

void gateio_await(struct pfs_io *io, unsigned n)
{
    struct gateio *gate = (struct gateio *)io;

    pthread_mutex_lock(&gate->mu);
    while (gate->waiting < n)
        pthread_cond_wait(&gate->changed, &gate->mu);
    pthread_mutex_unlock(&gate->mu);
}

void gateio_refuse(struct pfs_io *io, const char *part, int err)
{
    struct gateio *gate = (struct gateio *)io;

    pthread_mutex_lock(&gate->mu);
    gate->refused = part;
    gate->refusal = err;
    pthread_mutex_unlock(&gate->mu);
}
