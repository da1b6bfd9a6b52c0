#include "wal/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "wal/segment_pool.h"

#define WRITEBACK_BYTES (UINT64_C(1) << 20)
#define REWRITE_CHUNK   (UINT64_C(1) << 20)

struct pfs_journal {
    struct pfs_segment_pool *pool;
    struct pfs_segment_id id;
    bool readonly;
    atomic_bool poisoned;
    _Atomic pfs_lsn end;          /* written by the one appender */
    _Atomic pfs_lsn written_back; /* up to where the kernel was nudged */
    uint64_t prev;                /* checksum of the last record; the appender's */
    unsigned char *scratch;       /* header and entry table of the record being appended */
    struct iovec *iov;            /* the appender's */

    pthread_mutex_t sync_mu;
    pthread_cond_t sync_done;
    bool syncing;            /* guarded by sync_mu */
    _Atomic pfs_lsn durable; /* written under sync_mu */
    uint64_t syncs;          /* guarded by sync_mu */
    uint64_t syncs_shared;   /* guarded by sync_mu */
};

#define IOV_CAP (2 * PFS_RECORD_ENTRIES_MAX + 2)

static const unsigned char zeros[8];

int pfs_journal_create(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id)
{
    struct pfs_segment_pool *pool;
    struct pfs_file *file;
    int err = pfs_segment_pool_open(io, dir, id, PFS_LSN_FIRST, PFS_LSN_FIRST, false, &pool);

    if (err)
        return err;
    err = pfs_segment_pool_get(pool, PFS_LSN_FIRST, true, &file);
    pfs_segment_pool_close(pool);
    return err;
}

static void release(struct pfs_journal *j)
{
    if (j->pool)
        pfs_segment_pool_close(j->pool);
    pthread_mutex_destroy(&j->sync_mu);
    pthread_cond_destroy(&j->sync_done);
    free(j->scratch);
    free(j->iov);
    free(j);
}

/* fdatasync each segment that holds bytes of [from, to). */
static int sync_range(struct pfs_journal *j, pfs_lsn from, pfs_lsn to)
{
    for (pfs_lsn start = pfs_segment_start(&j->id, from); start < to;
         start += pfs_segment_size(&j->id)) {
        struct pfs_file *file;
        int err = pfs_segment_pool_get(j->pool, start, false, &file);

        if (!err)
            err = file->ops->sync(file);
        if (err)
            return err;
    }
    return 0;
}

/* Write [from, to) once more. After a sync that failed, in the last process or while one recovered,
 * the kernel still shows bytes that it will never bring to the disk, and the next sync succeeds:
 * only what is written anew is dirty anew. */
static int rewrite(struct pfs_journal *j, pfs_lsn from, pfs_lsn to)
{
    unsigned char *chunk = from < to ? malloc(REWRITE_CHUNK) : NULL;
    int err = from < to && !chunk ? pfs_fail(PFS_ENOMEM, "out of memory") : 0;

    while (from < to && !err) {
        uint64_t off = pfs_segment_offset(&j->id, from);
        size_t len =
            (size_t)pfs_min64(pfs_min64(to - from, REWRITE_CHUNK), pfs_segment_size(&j->id) - off);
        struct iovec iov = {.iov_base = chunk, .iov_len = len};
        struct pfs_file *file;

        err = pfs_segment_pool_get(j->pool, from - off, false, &file);
        if (!err)
            err = file->ops->pread(file, chunk, len, PFS_SEGMENT_HEADER + off);
        if (!err)
            err = file->ops->pwritev(file, &iov, 1, PFS_SEGMENT_HEADER + off);
        from += len;
    }
    free(chunk);
    return err;
}

/* The first record of this life, an empty one. Behind the end may stand a record that the last life
 * left half on disk, waiting for the other half to be written with the very same bytes; now it is
 * overwritten before anything else is. */
static int begin_life(struct pfs_journal *j, pfs_lsn durable)
{
    struct pfs_record pad = {.durable = durable,
                             .time_ns = pfs_wall_ns(),
                             .prev = j->prev,
                             .op = PFS_OP_PAD,
                             .len = PFS_RECORD_HEADER};
    struct iovec iov = {.iov_base = j->scratch, .iov_len = PFS_RECORD_HEADER};
    uint64_t left = pfs_segment_size(&j->id) - pfs_segment_offset(&j->id, j->end);
    struct pfs_file *file;
    int err;

    pad.lsn = j->end + (left < PFS_RECORD_HEADER ? left : 0);
    err = pfs_segment_pool_get(j->pool, pfs_segment_start(&j->id, pad.lsn), false, &file);
    if (err == PFS_ENOENT)
        return 0; /* nothing stands in a segment that isn't there */
    if (err)
        return err;
    pfs_record_encode(&pad, NULL, 0, j->scratch);
    err =
        file->ops->pwritev(file, &iov, 1, PFS_SEGMENT_HEADER + pfs_segment_offset(&j->id, pad.lsn));
    if (err)
        return err;
    j->prev = pad.checksum;
    j->end = pad.lsn + pad.len;
    return 0;
}

static int check_first(struct pfs_journal *j, const char *dir)
{
    char name[PFS_SEGMENT_NAME];
    struct pfs_file *file;
    int err = pfs_segment_pool_get(j->pool, PFS_LSN_FIRST, false, &file);

    if (err != PFS_ENOENT)
        return err;
    pfs_segment_name(name, dir, PFS_LSN_FIRST);
    return pfs_fail(PFS_ECORRUPT, "%s: missing, and with it all of the journal", name);
}

int pfs_journal_open(const struct pfs_journal_open *how, struct pfs_journal **out)
{
    struct pfs_journal *j = calloc(1, sizeof(*j));
    int err = 0;

    assert(how->end >= how->start && how->start >= PFS_LSN_FIRST && how->end % 8 == 0);
    if (!j)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    pthread_mutex_init(&j->sync_mu, NULL);
    pthread_cond_init(&j->sync_done, NULL);
    j->id = how->id;
    j->readonly = how->readonly;
    j->prev = how->prev;
    j->end = j->durable = j->written_back = how->end;
    j->scratch = malloc(PFS_RECORD_HEADER + (size_t)PFS_RECORD_ENTRIES_MAX * PFS_RECORD_ENTRY);
    j->iov = malloc(IOV_CAP * sizeof(*j->iov));
    if (!j->scratch || !j->iov)
        err = pfs_fail(PFS_ENOMEM, "out of memory");
    if (!err)
        err = pfs_segment_pool_open(how->io, how->dir, &how->id, how->start, how->end,
                                    how->readonly, &j->pool);
    if (!err && how->end == PFS_LSN_FIRST) /* empty, but it was made with a first segment */
        err = check_first(j, how->dir);
    if (!err && !how->readonly) {
        err = rewrite(j, pfs_max64(how->start, how->durable), how->end);
        if (!err)
            err = begin_life(j, how->durable);
        if (!err)
            err = sync_range(j, how->start, j->end);
        j->durable = j->written_back = j->end;
    }
    if (err) {
        release(j);
        return err;
    }
    *out = j;
    return 0;
}

void pfs_journal_close(struct pfs_journal *j)
{
    release(j);
}

static int poison(struct pfs_journal *j, const char *what)
{
    if (!atomic_exchange(&j->poisoned, true))
        pfs_log_error("wal",
                      "%s: %s; the journal accepts nothing more, unmount and mount again to "
                      "recover what is durable (up to %s)",
                      what, pfs_err_message(), pfs_lsn_print(j->durable).s);
    return pfs_context(PFS_EIO, "journal: %s", what);
}

static int poisoned_error(void)
{
    return pfs_fail(PFS_EIO, "the journal failed earlier and accepts nothing more; "
                             "unmount and mount again to recover");
}

/* Where the next record goes. The journal takes it over only when the record is written: what a
 * failed append leaves behind is overwritten by the next one, or found invalid by recovery. */
struct place {
    pfs_lsn end;
    uint64_t prev;
};

/* A write at lsn found no space. All of it but zeros at its end may stand there, and be valid: wipe
 * it out before the failure is told. (Segments have their space; a copy-on-write disk needs more.)
 *  */
static int take_back(struct pfs_journal *j, pfs_lsn lsn)
{
    static const unsigned char nothing[PFS_RECORD_HEADER];
    struct iovec iov = {.iov_base = (void *)(uintptr_t)nothing, .iov_len = sizeof(nothing)};
    struct pfs_file *file;
    int err = pfs_segment_pool_get(j->pool, pfs_segment_start(&j->id, lsn), false, &file);

    assert(pfs_segment_offset(&j->id, lsn) + sizeof(nothing) <= pfs_segment_size(&j->id));
    if (!err)
        err =
            file->ops->pwritev(file, &iov, 1, PFS_SEGMENT_HEADER + pfs_segment_offset(&j->id, lsn));
    if (!err)
        err = file->ops->sync(file);
    return err ? poison(j, "no space, and what was written can't be taken back") : PFS_ENOSPC;
}

static int write_at(struct pfs_journal *j, const struct place *at, const struct iovec *iov,
                    int iovcnt)
{
    struct pfs_file *file;
    int err = pfs_segment_pool_get(j->pool, pfs_segment_start(&j->id, at->end), true, &file);

    if (err)
        return err;
    err = file->ops->pwritev(file, iov, iovcnt,
                             PFS_SEGMENT_HEADER + pfs_segment_offset(&j->id, at->end));
    if (err == PFS_ENOSPC)
        err = take_back(j, at->end);
    else if (err)
        err = poison(j, "write failed");
    return err;
}

/* Fill the rest of the segment, `left` bytes, and move on to the next. */
static int roll(struct pfs_journal *j, struct place *at, uint64_t left)
{
    struct pfs_record pad = {.lsn = at->end,
                             .durable = j->durable,
                             .time_ns = pfs_wall_ns(),
                             .prev = at->prev,
                             .op = PFS_OP_PAD,
                             .len = (uint32_t)left};
    struct iovec iov = {.iov_base = j->scratch, .iov_len = PFS_RECORD_HEADER};
    struct pfs_file *next;
    int err = pfs_segment_pool_get(j->pool, at->end + left, true, &next);

    if (err)
        return err;
    if (left >= PFS_RECORD_HEADER) {
        pfs_record_encode(&pad, NULL, 0, j->scratch);
        err = write_at(j, at, &iov, 1);
        if (err)
            return err;
        at->prev = pad.checksum;
    }
    at->end += left;
    return 0;
}

/* Header, table and payloads as one vector; payloads that follow each other in memory as one. */
static int gather(struct pfs_journal *j, const struct pfs_entry *entries, unsigned n_entries)
{
    int n = 1;

    j->iov[0].iov_base = j->scratch;
    j->iov[0].iov_len = PFS_RECORD_HEADER + (size_t)n_entries * PFS_RECORD_ENTRY;
    for (unsigned i = 0; i < n_entries; i++) {
        unsigned char *data = (unsigned char *)(uintptr_t)entries[i].data;
        size_t len = entries[i].len;

        if (len == 0)
            continue;
        if (n > 1 && (unsigned char *)j->iov[n - 1].iov_base + j->iov[n - 1].iov_len == data)
            j->iov[n - 1].iov_len += len;
        else
            j->iov[n++] = (struct iovec){.iov_base = data, .iov_len = len};
        if (len % 8 != 0)
            j->iov[n++] =
                (struct iovec){.iov_base = (void *)(uintptr_t)zeros, .iov_len = 8 - len % 8};
    }
    return n;
}

int pfs_journal_append(struct pfs_journal *j, enum pfs_op op, struct pfs_entry *entries,
                       unsigned n_entries, pfs_lsn *end_out)
{
    uint32_t len = pfs_record_len(entries, n_entries);
    uint64_t left = pfs_segment_size(&j->id) - pfs_segment_offset(&j->id, j->end);
    struct place at = {.end = j->end, .prev = j->prev};
    struct pfs_record rec = {.op = (uint8_t)op, .durable = j->durable, .time_ns = pfs_wall_ns()};
    int err = 0;

    if (j->poisoned)
        return poisoned_error();
    if (j->readonly)
        return pfs_fail(PFS_EROFS, "the journal is open read-only");
    if (len == 0 || len > pfs_segment_size(&j->id))
        return pfs_fail(PFS_EINVAL, "a journal record would exceed %u bytes", PFS_RECORD_MAX);
    if (len > left)
        err = roll(j, &at, left);
    if (err)
        return err;
    rec.lsn = at.end;
    rec.prev = at.prev;
    assert(rec.durable <= rec.lsn);
    pfs_record_encode(&rec, entries, n_entries, j->scratch);
    err = write_at(j, &at, j->iov, gather(j, entries, n_entries));
    if (err == PFS_ENOSPC && at.end != j->end && left >= PFS_RECORD_HEADER)
        err = take_back(j, j->end); /* what roll() wrote */
    if (err)
        return err;
    j->prev = rec.checksum;
    j->end = at.end + rec.len;
    *end_out = j->end;
    return 0;
}

/* The leader's part, without the lock. */
static int lead_sync(struct pfs_journal *j, pfs_lsn *reached)
{
    pfs_lsn target = j->end;
    int err = sync_range(j, j->durable, target);

    if (err)
        return poison(j, "sync failed");
    *reached = target;
    return 0;
}

int pfs_journal_sync(struct pfs_journal *j, pfs_lsn lsn)
{
    bool led = false;
    int err = 0;

    if (j->durable >= lsn)
        return 0;
    assert(lsn <= j->end);
    pfs_blocking();
    pthread_mutex_lock(&j->sync_mu);
    while (!err && j->durable < lsn) {
        pfs_lsn reached = 0;

        if (j->poisoned) {
            err = poisoned_error();
        } else if (j->syncing) {
            pthread_cond_wait(&j->sync_done, &j->sync_mu);
        } else {
            j->syncing = led = true;
            pthread_mutex_unlock(&j->sync_mu);
            err = lead_sync(j, &reached);
            pthread_mutex_lock(&j->sync_mu);
            j->syncing = false;
            j->syncs++;
            if (!err) {
                assert(reached >= j->durable);
                j->durable = reached;
            }
            pthread_cond_broadcast(&j->sync_done);
        }
    }
    if (!led && !err)
        j->syncs_shared++;
    pthread_mutex_unlock(&j->sync_mu);
    return err;
}

void pfs_journal_writeback(struct pfs_journal *j)
{
    pfs_lsn from = j->written_back, end = j->end;
    pfs_lsn start;

    if (end - from < WRITEBACK_BYTES)
        return;
    if (!atomic_compare_exchange_strong(&j->written_back, &from, end))
        return; /* someone else is at it */
    from = pfs_max64(from, j->durable);
    start = pfs_segment_start(&j->id, from);
    if (from < end)
        pfs_segment_pool_writeback(
            j->pool, start, PFS_SEGMENT_HEADER + from - start,
            pfs_min64(end - from, pfs_segment_size(&j->id) - (from - start)));
}

pfs_lsn pfs_journal_end(const struct pfs_journal *j)
{
    return j->end;
}

pfs_lsn pfs_journal_durable(const struct pfs_journal *j)
{
    return j->durable;
}

uint64_t pfs_journal_prev(const struct pfs_journal *j)
{
    return j->prev;
}

bool pfs_journal_poisoned(const struct pfs_journal *j)
{
    return j->poisoned;
}

int pfs_journal_pread(struct pfs_journal *j, void *buf, size_t len, pfs_lsn pos)
{
    pfs_lsn start = pfs_segment_start(&j->id, pos);
    struct pfs_file *file;
    int err = pfs_segment_pool_get(j->pool, start, false, &file);

    if (err)
        return err;
    return file->ops->pread(file, buf, len, PFS_SEGMENT_HEADER + (pos - start));
}

int pfs_journal_trim(struct pfs_journal *j, pfs_lsn lsn)
{
    assert(lsn <= j->durable);
    return pfs_segment_pool_trim(j->pool, lsn);
}

int pfs_journal_prepare(struct pfs_journal *j, bool *wanted_out)
{
    return pfs_segment_pool_prepare(j->pool, pfs_segment_start(&j->id, j->end), wanted_out);
}

void pfs_journal_stats(struct pfs_journal *j, struct pfs_journal_stats *out)
{
    pthread_mutex_lock(&j->sync_mu);
    out->syncs = j->syncs;
    out->syncs_shared = j->syncs_shared;
    pthread_mutex_unlock(&j->sync_mu);
    out->end = j->end;
    out->durable = j->durable;
    pfs_segment_pool_stats(j->pool, &out->start, &out->bytes);
}
