#include "wal/segment_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"

#define READY_GOAL 2
#define SPARE_MAX  16
#define ZERO_CHUNK (UINT64_C(1) << 20)
#define TMP_NAME   "prepare.tmp"

/* A journal that went through a segment faster than this is in a bulk load: writing new segments
 * full of zeros first would cost it more than it spares. */
#define CALM_NS (2 * PFS_NS_PER_S)

struct segment {
    pfs_lsn start;
    struct pfs_file *file;
    int pins; /* guarded by seg_mu: users whom neither a view nor `durable` protects from a trim */
};

struct pfs_segment_pool {
    struct pfs_io *io;
    char *dir;
    struct pfs_segment_id id;
    bool readonly;

    pthread_mutex_t make_mu; /* held while a segment is made; taken before seg_mu */
    uint64_t made_ns;        /* guarded by make_mu: when the last segment was made */

    pthread_mutex_t seg_mu;
    struct segment *segs; /* guarded by seg_mu: live and ready ones, ascending, no gaps */
    unsigned n_segs, cap_segs;
    pfs_lsn spares[SPARE_MAX]; /* guarded by seg_mu: old names of closed files */
    unsigned n_spares;
};

static uint64_t size_of(const struct pfs_segment_pool *p)
{
    return pfs_segment_size(&p->id);
}

static struct pfs_file *find(struct pfs_segment_pool *p, pfs_lsn start)
{
    pfs_lsn first;

    if (p->n_segs == 0)
        return NULL;
    first = p->segs[0].start;
    if (start < first || (start - first) / size_of(p) >= p->n_segs)
        return NULL;
    return p->segs[(start - first) / size_of(p)].file;
}

static int add_locked(struct pfs_segment_pool *p, pfs_lsn start, struct pfs_file *file)
{
    assert(p->n_segs == 0 || p->segs[p->n_segs - 1].start + size_of(p) == start);
    if (p->n_segs == p->cap_segs) {
        unsigned cap = p->cap_segs ? p->cap_segs * 2 : 64;
        struct segment *grown = realloc(p->segs, cap * sizeof(*grown));

        if (!grown)
            return pfs_fail(PFS_ENOMEM, "out of memory");
        p->segs = grown;
        p->cap_segs = cap;
    }
    p->segs[p->n_segs++] = (struct segment){.start = start, .file = file};
    return 0;
}

static int add(struct pfs_segment_pool *p, pfs_lsn start, struct pfs_file *file)
{
    int err;

    pthread_mutex_lock(&p->seg_mu);
    err = add_locked(p, start, file);
    pthread_mutex_unlock(&p->seg_mu);
    return err;
}

static int remove_segment(struct pfs_segment_pool *p, pfs_lsn start)
{
    char name[PFS_SEGMENT_NAME];
    int err;

    pfs_segment_name(name, p->dir, start);
    err = p->io->ops->unlink(p->io, name);
    return err == PFS_ENOENT ? 0 : err;
}

static int missing(const char *dir, pfs_lsn start)
{
    char name[PFS_SEGMENT_NAME];

    pfs_segment_name(name, dir, start);
    return pfs_fail(PFS_ECORRUPT, "%s: missing, but the journal goes on behind it", name);
}

/* A segment at or past `start`, in order. Those behind `end` are only kept if they follow on. */
static int adopt(struct pfs_segment_pool *p, pfs_lsn start, pfs_lsn end)
{
    int flags = p->readonly ? PFS_IO_RDONLY : PFS_IO_RDWR;
    bool follows = p->n_segs == 0 || p->segs[p->n_segs - 1].start + size_of(p) == start;
    struct pfs_file *file;
    int err;

    if (start >= end && !follows)
        return p->readonly ? 0 : remove_segment(p, start);
    if (!follows)
        return missing(p->dir, start - size_of(p));
    err = pfs_segment_open(p->io, p->dir, &p->id, start, flags, &file);
    if (err)
        return err;
    err = add(p, start, file);
    if (err)
        p->io->ops->close(file);
    return err;
}

int pfs_segment_pool_open(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                          pfs_lsn start, pfs_lsn end, bool readonly, struct pfs_segment_pool **out)
{
    struct pfs_segment_pool *p = calloc(1, sizeof(*p));
    pfs_lsn *starts = NULL;
    unsigned n = 0;
    int err;

    if (!p)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    p->io = io;
    p->id = *id;
    p->readonly = readonly;
    pthread_mutex_init(&p->make_mu, NULL);
    pthread_mutex_init(&p->seg_mu, NULL);
    p->dir = strdup(dir);
    err =
        p->dir ? pfs_segment_list(io, dir, id, &starts, &n) : pfs_fail(PFS_ENOMEM, "out of memory");
    for (unsigned i = 0; i < n && !err; i++) {
        if (starts[i] >= pfs_segment_start(id, start))
            err = adopt(p, starts[i], end);
        else if (readonly)
            continue;
        else if (p->n_spares < SPARE_MAX)
            p->spares[p->n_spares++] = starts[i];
        else
            err = remove_segment(p, starts[i]);
    }
    free(starts);
    if (!err && pfs_segment_offset(id, end) != 0 && !find(p, pfs_segment_start(id, end)))
        err = missing(dir, pfs_segment_start(id, end));
    if (!err && !readonly) /* a kill may have come before make() had its name made durable */
        err = io->ops->sync_dir(io, dir);
    if (err) {
        pfs_segment_pool_close(p);
        return err;
    }
    *out = p;
    return 0;
}

void pfs_segment_pool_close(struct pfs_segment_pool *p)
{
    for (unsigned i = 0; i < p->n_segs; i++)
        p->io->ops->close(p->segs[i].file);
    pthread_mutex_destroy(&p->make_mu);
    pthread_mutex_destroy(&p->seg_mu);
    free(p->segs);
    free(p->dir);
    free(p);
}

static int write_header(struct pfs_segment_pool *p, struct pfs_file *file, pfs_lsn start)
{
    unsigned char header[PFS_SEGMENT_HEADER];
    struct iovec iov = {.iov_base = header, .iov_len = sizeof(header)};

    pfs_segment_encode_header(header, &p->id, start);
    return p->io->ops->pwritev(file, &iov, 1, 0);
}

static int write_zeros(struct pfs_segment_pool *p, struct pfs_file *file)
{
    void *chunk = calloc(1, ZERO_CHUNK);
    struct iovec iov = {.iov_base = chunk, .iov_len = ZERO_CHUNK};
    int err = chunk ? 0 : pfs_fail(PFS_ENOMEM, "out of memory");

    for (uint64_t off = 0; off < size_of(p) && !err; off += iov.iov_len) {
        iov.iov_len = (size_t)pfs_min64(ZERO_CHUNK, size_of(p) - off);
        err = p->io->ops->pwritev(file, &iov, 1, PFS_SEGMENT_HEADER + off);
    }
    free(chunk);
    return err;
}

/* A new file under the temporary name, with all its space. */
static int make_fresh(struct pfs_segment_pool *p, const char *tmp, bool zero, struct pfs_file **out)
{
    int err = p->io->ops->unlink(p->io, tmp);

    if (err && err != PFS_ENOENT)
        return err;
    err = p->io->ops->open(p->io, tmp, PFS_IO_RDWR | PFS_IO_CREATE, out);
    if (err)
        return err;
    err = p->io->ops->allocate(*out, PFS_SEGMENT_HEADER + size_of(p));
    if (!err && zero)
        err = write_zeros(p, *out);
    if (err) {
        p->io->ops->close(*out);
        (void)!p->io->ops->unlink(p->io, tmp);
    }
    return err;
}

static bool take_spare(struct pfs_segment_pool *p, pfs_lsn *spare)
{
    bool found;

    pthread_mutex_lock(&p->seg_mu);
    found = p->n_spares > 0;
    if (found)
        *spare = p->spares[--p->n_spares];
    pthread_mutex_unlock(&p->seg_mu);
    return found;
}

/* An old file under its old name. One that won't do is removed. */
static int reuse_spare(struct pfs_segment_pool *p, pfs_lsn spare, char *name, struct pfs_file **out)
{
    uint64_t size;
    int err;

    pfs_segment_name(name, p->dir, spare);
    err = p->io->ops->open(p->io, name, PFS_IO_RDWR, out);
    if (err)
        return err;
    err = p->io->ops->size(*out, &size);
    if (!err && size == PFS_SEGMENT_HEADER + size_of(p))
        return 0;
    p->io->ops->close(*out);
    (void)!p->io->ops->unlink(p->io, name);
    return PFS_ENOENT;
}

/* Make the segment that starts at `start`, durable with its name. make_mu is held. */
static int make(struct pfs_segment_pool *p, pfs_lsn start, bool zero, struct pfs_file **out)
{
    char from[PFS_SEGMENT_NAME], to[PFS_SEGMENT_NAME];
    struct pfs_file *file = NULL;
    pfs_lsn spare;
    int err = PFS_ENOENT;

    if (take_spare(p, &spare))
        err = reuse_spare(p, spare, from, &file);
    if (err) {
        snprintf(from, sizeof(from), "%s/" TMP_NAME, p->dir);
        err = make_fresh(p, from, zero, &file);
    }
    if (err)
        return err;
    pfs_segment_name(to, p->dir, start);
    err = write_header(p, file, start);
    if (!err)
        err = p->io->ops->sync(file);
    if (!err)
        err = p->io->ops->rename(p->io, from, to);
    if (!err)
        err = p->io->ops->sync_dir(p->io, p->dir);
    if (!err)
        err = add(p, start, file);
    if (err) {
        p->io->ops->close(file);
        (void)!p->io->ops->unlink(p->io, from);
        return pfs_context(err, "cannot make the journal segment for LSN %s",
                           pfs_lsn_print(start).s);
    }
    p->made_ns = pfs_mono_ns();
    *out = file;
    return 0;
}

int pfs_segment_pool_get(struct pfs_segment_pool *p, pfs_lsn start, bool create,
                         struct pfs_file **out)
{
    struct pfs_file *file;
    int err = 0;

    pthread_mutex_lock(&p->seg_mu);
    file = find(p, start);
    pthread_mutex_unlock(&p->seg_mu);
    if (!file && create) {
        pfs_blocking();
        pthread_mutex_lock(&p->make_mu);
        pthread_mutex_lock(&p->seg_mu);
        file = find(p, start); /* the upkeep thread may just have made it */
        pthread_mutex_unlock(&p->seg_mu);
        if (!file)
            err = make(p, start, false, &file);
        pthread_mutex_unlock(&p->make_mu);
    }
    if (err)
        return err;
    if (!file)
        return pfs_fail(PFS_ENOENT, "%s: no segment with LSN %s", p->dir, pfs_lsn_print(start).s);
    *out = file;
    return 0;
}

/* The oldest segment, if all of it lies below lsn and nobody is at it: out of the table. Whether it
 * is to be used again is settled here too: two trims don't keep more than there is room for. */
static bool take_oldest(struct pfs_segment_pool *p, pfs_lsn lsn, struct segment *old, bool *keep)
{
    bool found;

    pthread_mutex_lock(&p->seg_mu);
    found = p->n_segs > 0 && p->segs[0].start + size_of(p) <= lsn && p->segs[0].pins == 0;
    if (found) {
        *old = p->segs[0];
        memmove(p->segs, p->segs + 1, --p->n_segs * sizeof(*p->segs));
        *keep = p->n_spares < SPARE_MAX;
        if (*keep)
            p->spares[p->n_spares++] = old->start;
    }
    pthread_mutex_unlock(&p->seg_mu);
    return found;
}

int pfs_segment_pool_trim(struct pfs_segment_pool *p, pfs_lsn lsn)
{
    struct segment old;
    bool keep;

    while (take_oldest(p, lsn, &old, &keep)) {
        p->io->ops->close(old.file);
        if (!keep) {
            int err = remove_segment(p, old.start);

            if (err)
                return err;
        }
    }
    return 0;
}

/* Pin the segment that starts at `start`, or let go of it. NULL if it isn't there. */
static struct pfs_file *pin(struct pfs_segment_pool *p, pfs_lsn start, int by)
{
    struct pfs_file *file;

    pthread_mutex_lock(&p->seg_mu);
    file = find(p, start);
    if (file)
        p->segs[(start - p->segs[0].start) / size_of(p)].pins += by;
    pthread_mutex_unlock(&p->seg_mu);
    return file;
}

void pfs_segment_pool_writeback(struct pfs_segment_pool *p, pfs_lsn start, uint64_t off,
                                uint64_t len)
{
    struct pfs_file *file = pin(p, start, 1);

    if (!file)
        return;
    file->ops->writeback(file, off, len);
    (void)pin(p, start, -1);
}

int pfs_segment_pool_prepare(struct pfs_segment_pool *p, pfs_lsn active, bool *wanted_out)
{
    struct pfs_file *file;
    pfs_lsn next;
    int err = 0;

    *wanted_out = false;
    pthread_mutex_lock(&p->make_mu);
    pthread_mutex_lock(&p->seg_mu);
    next = p->n_segs ? p->segs[p->n_segs - 1].start + size_of(p) : active;
    pthread_mutex_unlock(&p->seg_mu);
    if (next <= active + READY_GOAL * size_of(p)) {
        bool calm = p->made_ns == 0 || pfs_mono_ns() - p->made_ns > CALM_NS;

        err = make(p, next, calm, &file);
        *wanted_out = !err && next < active + READY_GOAL * size_of(p);
    }
    pthread_mutex_unlock(&p->make_mu);
    return err;
}

void pfs_segment_pool_stats(struct pfs_segment_pool *p, pfs_lsn *start_out, uint64_t *bytes_out)
{
    pthread_mutex_lock(&p->seg_mu);
    *start_out = p->n_segs ? p->segs[0].start : 0;
    *bytes_out = (p->n_segs + p->n_spares) * (PFS_SEGMENT_HEADER + size_of(p));
    pthread_mutex_unlock(&p->seg_mu);
}
