#include "tests/sim/simdisk.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/simdisk_impl.h"

struct sim_file {
    struct pfs_file base;
    struct simdisk *disk;
    struct sim_node *node;
    struct sim_entry *entry; /* it was opened by this name: for messages */
};

static const struct pfs_io_ops sim_ops;

static struct simdisk *disk_of(struct pfs_io *io)
{
    assert(io->ops == &sim_ops);
    return (struct simdisk *)io;
}

static struct sim_file *file_of(struct pfs_file *file)
{
    return (struct sim_file *)file;
}

/* --- every call begins and ends here ---------------------------------------------------------- */

static void trace(struct simdisk *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void trace(struct simdisk *d, const char *fmt, ...)
{
    va_list ap;

    if (!d->trace)
        return;
    fprintf(stderr, "    io %" PRIu64 ": ", d->calls);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* Lock, and see whether the call is to fail. *cut: power goes while it is under way. */
static int begin(struct simdisk *d, enum simdisk_fault fault, const char *what, const char *name,
                 bool *cut)
{
    pthread_mutex_lock(&d->mu);
    *cut = false;
    if (d->off)
        return pfs_fail(PFS_EIO, "%s: %s: no power", name, what);
    d->calls++;
    *cut = d->cut_in > 0 && --d->cut_in == 0;
    if (*cut) {
        d->off = true;
        trace(d, "%s %s: the power goes", what, name);
        return pfs_fail(PFS_EIO, "%s: %s: the power went", name, what);
    }
    if (rng_one_in(&d->rng, d->one_in[fault])) {
        trace(d, "%s %s: made to fail", what, name);
        return pfs_fail(fault == SIMDISK_SPACE ? PFS_ENOSPC : PFS_EIO, "%s: %s fails", name, what);
    }
    return 0;
}

static int end(struct simdisk *d, int err)
{
    pthread_mutex_unlock(&d->mu);
    return err;
}

/* --- struct pfs_io: names --------------------------------------------------------------------- */

static int sim_open(struct pfs_io *io, const char *name, int flags, struct pfs_file **out)
{
    struct simdisk *d = disk_of(io);
    struct sim_file *file;
    struct sim_entry *e;
    bool cut, create = flags & PFS_IO_CREATE;
    int err = begin(d, SIMDISK_NAMES, "open", name, &cut);

    e = sim_entry_of(d, name);
    if (!err && create && d->full)
        err = pfs_fail(PFS_ENOSPC, "%s: no space for a new file", name);
    if (!err && create && e->now)
        err = pfs_fail(PFS_EEXIST, "%s: already there", name);
    if (!err && !create && (!e->now || e->now->dir))
        err = pfs_fail(PFS_ENOENT, "%s: no such file", name);
    if (create && (!err || cut) && !e->now) {
        struct sim_node *node = sim_node_create(false);

        trace(d, "create %s", name);
        sim_change(d, node, NULL, e);
        sim_node_put(node);
    }
    if (err)
        return end(d, err);
    file = sim_need(calloc(1, sizeof(*file)));
    *file = (struct sim_file){.base.ops = &sim_ops, .disk = d, .entry = e};
    sim_set(&file->node, e->now);
    d->opens++;
    *out = &file->base;
    return end(d, 0);
}

static void sim_close(struct pfs_file *base)
{
    struct sim_file *file = file_of(base);
    struct simdisk *d = file->disk;

    pthread_mutex_lock(&d->mu);
    assert(d->opens > 0);
    d->opens--;
    sim_node_put(file->node);
    pthread_mutex_unlock(&d->mu);
    free(file);
}

static int sim_rename(struct pfs_io *io, const char *from, const char *to)
{
    struct simdisk *d = disk_of(io);
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "rename", from, &cut);
    struct sim_entry *a = sim_entry_of(d, from), *b = sim_entry_of(d, to);

    if (!err && !a->now)
        err = pfs_fail(PFS_ENOENT, "%s: no such file", from);
    if ((!err || cut) && a->now && a != b) {
        trace(d, "rename %s to %s", from, to);
        sim_change(d, a->now, a, b);
    }
    return end(d, err);
}

static int sim_unlink(struct pfs_io *io, const char *name)
{
    struct simdisk *d = disk_of(io);
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "unlink", name, &cut);
    struct sim_entry *e = sim_entry_of(d, name);

    if (!err && !e->now)
        err = pfs_fail(PFS_ENOENT, "%s: no such file", name);
    if ((!err || cut) && e->now) {
        trace(d, "unlink %s", name);
        sim_change(d, e->now, e, NULL);
    }
    return end(d, err);
}

static int sim_mkdir(struct pfs_io *io, const char *name)
{
    struct simdisk *d = disk_of(io);
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "mkdir", name, &cut);
    struct sim_entry *e = sim_entry_of(d, name);

    if (!err && d->full)
        err = pfs_fail(PFS_ENOSPC, "%s: no space for a new directory", name);
    if (!err && e->now)
        err = pfs_fail(PFS_EEXIST, "%s: already there", name);
    if ((!err || cut) && !e->now) {
        struct sim_node *node = sim_node_create(true);

        trace(d, "mkdir %s", name);
        sim_change(d, node, NULL, e);
        sim_node_put(node);
    }
    return end(d, err);
}

static int sim_sync_dir(struct pfs_io *io, const char *name)
{
    struct simdisk *d = disk_of(io);
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "sync_dir", name, &cut);

    if (!err)
        trace(d, "sync_dir %s", name);
    if (!err && d->plant != SIMDISK_SYNCDIR_NOTHING)
        sim_carry_out(d, name);
    return end(d, err);
}

static int sim_list(struct pfs_io *io, const char *name, pfs_io_list_cb *cb, void *ctx)
{
    struct simdisk *d = disk_of(io);
    const char **names;
    size_t n = 0;
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "list", name, &cut);

    for (struct sim_entry *e = d->entries; e; e = e->next)
        n++;
    names = sim_need(calloc(n + 1, sizeof(*names)));
    n = 0;
    for (struct sim_entry *e = d->entries; e && !err; e = e->next)
        if (e->now && sim_name_in(name, e->name))
            names[n++] = sim_name_in(name, e->name); /* lives as long as the disk */
    (void)end(d, 0);                                 /* cb may call us */
    for (size_t i = 0; i < n && !err; i++)
        err = cb(ctx, names[i]);
    free(names);
    return err;
}

static int sim_space(struct pfs_io *io, uint64_t *free_out, uint64_t *total_out)
{
    struct simdisk *d = disk_of(io);
    bool cut;
    int err = begin(d, SIMDISK_NAMES, "space", ".", &cut);

    *free_out = d->full ? 0 : UINT64_C(1) << 30;
    *total_out = UINT64_C(1) << 31;
    return end(d, err);
}

/* --- struct pfs_io: files --------------------------------------------------------------------- */

static int sim_pread(struct pfs_file *base, void *buf, size_t len, uint64_t off)
{
    struct sim_file *file = file_of(base);
    struct simdisk *d = file->disk;
    bool cut;
    int err = begin(d, SIMDISK_READ, "pread", file->entry->name, &cut);

    if (!err && (off > file->node->size || len > file->node->size - off))
        err = pfs_fail(PFS_ECORRUPT, "%s: truncated: %zu bytes at offset %" PRIu64 " are needed",
                       file->entry->name, len, off);
    if (!err)
        sim_node_read(file->node, buf, len, off);
    if (!err && d->plant == SIMDISK_READ_FLIPS && len > 0 && rng_one_in(&d->rng, 50))
        ((unsigned char *)buf)[rng_below(&d->rng, len)] ^= 4;
    return end(d, err);
}

static int sim_pwritev(struct pfs_file *base, const struct iovec *iov, int iovcnt, uint64_t off)
{
    struct sim_file *file = file_of(base);
    struct simdisk *d = file->disk;
    enum simdisk_fault fault = d->one_in[SIMDISK_SPACE] ? SIMDISK_SPACE : SIMDISK_WRITE;
    uint64_t len = 0, part;
    bool cut;
    int err = begin(d, fault, "pwritev", file->entry->name, &cut);

    for (int i = 0; i < iovcnt; i++)
        len += iov[i].iov_len;
    if (!err && d->full && off + len > file->node->size)
        err = pfs_fail(PFS_ENOSPC, "%s: no space", file->entry->name);
    part = err == 0 ? len : cut || !d->off ? rng_below(&d->rng, len + 1) : 0;
    if (err == PFS_ENOSPC && part == len && part > 0)
        part--; /* what found no space is not all there */
    if (part > 0)
        trace(d, "pwritev %s: %" PRIu64 " of %" PRIu64 " bytes at %" PRIu64, file->entry->name,
              part, len, off);
    if (!err && d->plant == SIMDISK_WRITE_LIES && rng_one_in(&d->rng, 50))
        part = 0;
    for (int i = 0; i < iovcnt && part > 0; i++) {
        size_t n = iov[i].iov_len < part ? iov[i].iov_len : (size_t)part;

        sim_node_write(file->node, &d->rng, iov[i].iov_base, n, off);
        off += n;
        part -= n;
    }
    return end(d, err);
}

static int sim_sync(struct pfs_file *base)
{
    struct sim_file *file = file_of(base);
    struct simdisk *d = file->disk;
    bool cut;
    int err = begin(d, SIMDISK_SYNC, "sync", file->entry->name, &cut);

    if (!err)
        trace(d, "sync %s", file->entry->name);
    if (err && !d->off)
        sim_node_fail_sync(file->node, &d->rng);
    if (!err && d->plant != SIMDISK_SYNC_NOTHING)
        sim_node_sync(file->node, &d->rng, d->plant != SIMDISK_SYNC_DATA_ONLY,
                      d->plant == SIMDISK_SYNC_SKIPS && rng_one_in(&d->rng, 4));
    return end(d, err);
}

static void sim_writeback(struct pfs_file *base, uint64_t off, uint64_t len)
{
    (void)base, (void)off, (void)len;
}

static int sim_size(struct pfs_file *base, uint64_t *size_out)
{
    struct sim_file *file = file_of(base);
    bool cut;
    int err = begin(file->disk, SIMDISK_NAMES, "size", file->entry->name, &cut);

    if (!err)
        *size_out = file->node->size;
    return end(file->disk, err);
}

static int sim_allocate(struct pfs_file *base, uint64_t len)
{
    struct sim_file *file = file_of(base);
    struct simdisk *d = file->disk;
    bool cut;
    int err = begin(d, SIMDISK_SPACE, "allocate", file->entry->name, &cut);

    if (!err && d->full && len > file->node->size)
        err = pfs_fail(PFS_ENOSPC, "%s: no space", file->entry->name);
    if (!err || cut)
        sim_node_extend(file->node, len);
    return end(d, err);
}

static void sim_destroy(struct pfs_io *io)
{
    struct simdisk *d = disk_of(io);

    assert(d->opens == 0);
    sim_forget_names(d);
    pthread_mutex_destroy(&d->mu);
    free(d);
}

static const struct pfs_io_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .sync = sim_sync,
    .writeback = sim_writeback,
    .size = sim_size,
    .allocate = sim_allocate,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .space = sim_space,
    .destroy = sim_destroy,
};

struct pfs_io *simdisk_create(uint64_t seed, enum simdisk_plant plant)
{
    struct simdisk *d = sim_need(calloc(1, sizeof(*d)));

    d->base.ops = &sim_ops;
    d->rng = rng_make(seed);
    d->plant = plant;
    d->last_change = &d->changes;
    pthread_mutex_init(&d->mu, NULL);
    return &d->base;
}
