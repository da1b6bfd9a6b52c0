#include "fs/pages/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/pages/store_impl.h"

#define MEMTABLE_BYTES ((size_t)24 << 20)
#define FLUSH_BYTES    (UINT64_C(256) << 20)
#define CACHE_BYTES    ((size_t)32 << 20)
#define STALL_STEP_NS  200000 /* the longest a writer is slowed per record before it must wait */

static struct pfs_segment_id segment_id(const struct pfs_store_config *config)
{
    struct pfs_segment_id id = {.branch = config->branch_id, .size = config->segment_bytes};

    memcpy(id.uuid, config->uuid, sizeof(id.uuid));
    return id;
}

int pfs_store_create(const struct pfs_store_config *config)
{
    struct pfs_segment_id id = segment_id(config);
    struct pfs_manifest m = {.branch_id = config->branch_id,
                             .flushed = PFS_LSN_FIRST,
                             .durable = PFS_LSN_FIRST,
                             .next_ino = 2, /* 1 is the root */
                             .next_layer = 1};
    struct pfs_io *io = config->io;
    char dir[PFS_SEGMENT_NAME];
    int err;

    memcpy(m.uuid, config->uuid, sizeof(m.uuid));
    snprintf(dir, sizeof(dir), "%s/layers", config->dir);
    err = io->ops->mkdir(io, dir);
    if (err)
        return err;
    snprintf(dir, sizeof(dir), "%s/journal", config->dir);
    err = io->ops->mkdir(io, dir);
    if (!err)
        err = pfs_journal_create(io, dir, &id);
    if (!err)
        err = pfs_manifest_write(io, config->dir, &m);
    return err;
}

static void destroy(struct pfs_store *s)
{
    if (s->journal)
        pfs_journal_close(s->journal);
    if (s->view)
        pfs_view_put(s->view);
    if (s->active)
        pfs_source_put(s->active);
    for (unsigned i = 0; i < s->n_frozen; i++)
        pfs_source_put(s->frozen[i].memtable);
    for (unsigned i = 0; i < s->n_retired; i++)
        pfs_source_put(s->retired[i]);
    for (unsigned i = 0; i < s->n_layers; i++)
        pfs_source_put(s->layers[i]);
    pfs_manifest_release(&s->manifest);
    if (s->cache)
        pfs_block_cache_destroy(s->cache);
    pthread_mutex_destroy(&s->commit_mu);
    pthread_mutex_destroy(&s->view_mu);
    pthread_mutex_destroy(&s->flush_mu);
    pthread_mutex_destroy(&s->stall_mu);
    pthread_mutex_destroy(&s->upkeep_mu);
    pthread_cond_destroy(&s->stall_over);
    pthread_cond_destroy(&s->upkeep_wake);
    free(s->frozen);
    free(s->layers);
    free(s->retired);
    free(s->dir);
    free(s->journal_dir);
    free(s->layers_dir);
    free(s);
}

static int init(struct pfs_store *s, const struct pfs_store_config *config)
{
    pthread_condattr_t attr;

    s->config = *config;
    s->segment_id = segment_id(config);
    s->io = config->io;
    if (s->config.memtable_bytes == 0)
        s->config.memtable_bytes = MEMTABLE_BYTES;
    if (s->config.flush_journal_bytes == 0)
        s->config.flush_journal_bytes = FLUSH_BYTES;
    pthread_mutex_init(&s->commit_mu, NULL);
    pthread_mutex_init(&s->view_mu, NULL);
    pthread_mutex_init(&s->flush_mu, NULL);
    pthread_mutex_init(&s->stall_mu, NULL);
    pthread_mutex_init(&s->upkeep_mu, NULL);
    pthread_cond_init(&s->stall_over, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->upkeep_wake, &attr);
    pthread_condattr_destroy(&attr);
    s->dir = strdup(config->dir);
    if (!s->dir || asprintf(&s->journal_dir, "%s/journal", config->dir) < 0 ||
        asprintf(&s->layers_dir, "%s/layers", config->dir) < 0)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    s->config.dir = s->dir;
    return pfs_block_cache_create(config->cache_bytes ? config->cache_bytes : CACHE_BYTES,
                                  &s->cache);
}

int pfs_store_open(const struct pfs_store_config *config, struct pfs_store **out)
{
    struct pfs_store *s = calloc(1, sizeof(*s));
    int err;

    if (!s)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    err = init(s, config);
    if (!err)
        err = pfs_store_recover(s);
    if (!err && config->background && !config->readonly)
        err = pfs_store_upkeep_start(s);
    if (err) {
        destroy(s);
        return err;
    }
    *out = s;
    return 0;
}

void pfs_store_abandon(struct pfs_store *s)
{
    pfs_store_upkeep_stop(s);
    destroy(s);
}

int pfs_store_close(struct pfs_store *s)
{
    int err = 0;

    pfs_store_upkeep_stop(s);
    if (!s->config.readonly) {
        err = pfs_journal_sync(s->journal, s->head);
        if (!err) {
            s->manifest.durable = s->head;
            s->manifest.next_ino = s->next_ino;
            err = pfs_manifest_write(s->io, s->dir, &s->manifest);
        }
    }
    destroy(s);
    return err;
}

struct pfs_view *pfs_store_view(struct pfs_store *s)
{
    struct pfs_view *view;

    pthread_mutex_lock(&s->view_mu);
    view = s->view;
    atomic_fetch_add(&view->refs, 1);
    pthread_mutex_unlock(&s->view_mu);
    return view;
}

pfs_lsn pfs_store_clamp(const struct pfs_store *s, pfs_lsn lsn)
{
    return pfs_min64(lsn, s->head);
}

int pfs_store_publish(struct pfs_store *s)
{
    unsigned n = 1 + s->n_frozen;
    struct pfs_source **memtables = malloc(n * sizeof(*memtables));
    struct pfs_view *view = NULL;

    if (memtables) {
        memtables[0] = s->active;
        for (unsigned i = 0; i < s->n_frozen; i++)
            memtables[1 + i] = s->frozen[i].memtable;
        view = pfs_view_create(memtables, n, s->layers, s->n_layers);
        free(memtables);
    }
    if (!view)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    if (s->view)
        pfs_view_put(s->view);
    s->view = view;
    return 0;
}

/* Put a memtable in front of those that wait. Holds view_mu. */
static int push_frozen(struct pfs_store *s, const struct pfs_frozen *one)
{
    if (s->n_frozen == s->cap_frozen) {
        unsigned cap = s->cap_frozen ? s->cap_frozen * 2 : 8;
        struct pfs_frozen *grown = realloc(s->frozen, cap * sizeof(*grown));

        if (!grown)
            return pfs_fail(PFS_ENOMEM, "out of memory");
        s->frozen = grown;
        s->cap_frozen = cap;
    }
    memmove(s->frozen + 1, s->frozen, s->n_frozen * sizeof(*s->frozen));
    s->frozen[0] = *one;
    s->n_frozen++;
    return 0;
}

static void pop_frozen(struct pfs_store *s)
{
    s->n_frozen--;
    memmove(s->frozen, s->frozen + 1, s->n_frozen * sizeof(*s->frozen));
}

int pfs_store_freeze_at(struct pfs_store *s, uint64_t prev)
{
    struct pfs_frozen old = {.memtable = s->active, .end = s->head, .prev = prev};
    struct pfs_memtable *mt;
    struct pfs_source *fresh;
    int err;

    if (pfs_memtable_count(s->active->mt) == 0)
        return 0;
    err = pfs_memtable_create(s->head, &mt);
    if (err)
        return err;
    fresh = pfs_source_memtable(mt);
    if (!fresh) {
        pfs_memtable_destroy(mt);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&s->view_mu);
    err = push_frozen(s, &old);
    if (!err) {
        s->active = fresh;
        err = pfs_store_publish(s);
        if (err) { /* back to what the view still shows */
            s->active = old.memtable;
            pop_frozen(s);
        }
    }
    pthread_mutex_unlock(&s->view_mu);
    if (err)
        pfs_source_put(fresh);
    else
        s->active_since_ns = pfs_mono_ns();
    return err;
}

int pfs_store_freeze(struct pfs_store *s)
{
    return pfs_store_freeze_at(s, pfs_journal_prev(s->journal));
}

bool pfs_store_memtable_full(const struct pfs_store *s)
{
    if (pfs_memtable_count(s->active->mt) == 0) /* but the journal may have been padded */
        return false;
    return pfs_memtable_bytes(s->active->mt) >= s->config.memtable_bytes ||
           s->head - pfs_memtable_start(s->active->mt) >= s->config.flush_journal_bytes;
}

/* Wait for the flush to make room. Called with commit_mu held; lets go of it meanwhile. */
static int stall(struct pfs_store *s)
{
    uint64_t round;
    int err;

    s->stalls++;
    pfs_blocking();
    if (!s->upkeep_runs) { /* nobody else will do it */
        bool more;

        pthread_mutex_unlock(&s->commit_mu);
        err = pfs_store_flush_one(s, &more);
        pthread_mutex_lock(&s->commit_mu);
        return err;
    }
    pthread_mutex_lock(&s->stall_mu);
    if (s->n_frozen < PFS_FROZEN_MAX) { /* it ended meanwhile, and the next may never come */
        pthread_mutex_unlock(&s->stall_mu);
        return 0;
    }
    round = s->flush_round;
    pthread_mutex_unlock(&s->commit_mu);
    pfs_store_upkeep_kick(s);
    while (s->flush_round == round && !s->flush_error)
        pthread_cond_wait(&s->stall_over, &s->stall_mu);
    err = s->flush_error;
    pthread_mutex_unlock(&s->stall_mu);
    pthread_mutex_lock(&s->commit_mu);
    return err ? pfs_fail(err, "the memtable can't be flushed: %s", pfs_err_text(err)) : 0;
}

/* Room in the active memtable. Holds commit_mu. */
static int make_room(struct pfs_store *s)
{
    while (pfs_store_memtable_full(s)) {
        int err;

        if (s->n_frozen >= PFS_FROZEN_MAX) {
            err = stall(s);
            if (err)
                return err;
            continue;
        }
        err = pfs_store_freeze(s);
        if (err)
            return err;
        pfs_store_upkeep_kick(s);
    }
    return 0;
}

/* While the last frozen memtable waits and the active one fills, slow writers down step by step,
 * so that they don't run into the wall at full speed. Without any lock. */
static void slow_down(struct pfs_store *s)
{
    struct timespec ts = {0};
    uint64_t used, limit = s->config.flush_journal_bytes;

    if (s->n_frozen < PFS_FROZEN_MAX)
        return;
    pthread_mutex_lock(&s->view_mu);
    used = s->head - s->frozen[0].end;
    pthread_mutex_unlock(&s->view_mu);
    if (used < limit / 2 || used > limit)
        return;
    ts.tv_nsec = (long)((double)STALL_STEP_NS * (double)(used - limit / 2) / (double)limit * 2);
    s->stalls++;
    pfs_blocking();
    nanosleep(&ts, NULL);
}

int pfs_store_commit(struct pfs_store *s, enum pfs_op op, const struct pfs_entry *given,
                     unsigned n_entries, pfs_lsn *lsn_out)
{
    struct pfs_entry small[16], *entries = small;
    uint64_t payload = 0;
    pfs_lsn before, end = 0;
    int err;

    if (s->config.readonly)
        return pfs_fail(PFS_EROFS, "the volume is open read-only");
    if (n_entries > 16) {
        entries = malloc(n_entries * sizeof(*entries));
        if (!entries)
            return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    memcpy(entries, given, n_entries * sizeof(*entries));
    pfs_record_seal_payloads(entries, n_entries);
    slow_down(s);

    pfs_mutex_lock(&s->commit_mu);
    err = make_room(s);
    if (!err)
        err = pfs_memtable_reserve(s->active->mt, entries, n_entries);
    before = s->head;
    if (!err)
        err = pfs_journal_append(s->journal, op, entries, n_entries, &end);
    if (!err) {
        assert(end > before);
        for (unsigned i = 0; i < n_entries; i++) {
            pfs_memtable_insert(s->active->mt, &entries[i], end);
            payload += entries[i].len;
        }
        s->head = end;
        s->commits++;
        s->payload_bytes += payload;
        *lsn_out = end;
    }
    pthread_mutex_unlock(&s->commit_mu);

    if (!err) {
        pfs_journal_writeback(s->journal);
        if (pfs_segment_start(&s->segment_id, before) != pfs_segment_start(&s->segment_id, end))
            pfs_store_upkeep_kick(s); /* the next segments want preparing */
    }
    if (entries != small)
        free(entries);
    return err;
}

int pfs_store_sync(struct pfs_store *s, pfs_lsn lsn)
{
    if (s->config.readonly)
        return 0;
    return pfs_journal_sync(s->journal, pfs_store_clamp(s, lsn));
}

pfs_lsn pfs_store_head(const struct pfs_store *s)
{
    return s->head;
}

pfs_lsn pfs_store_durable(const struct pfs_store *s)
{
    return pfs_journal_durable(s->journal);
}

uint32_t pfs_store_page_size(const struct pfs_store *s)
{
    return s->config.page_size;
}

bool pfs_store_readonly(const struct pfs_store *s)
{
    return s->config.readonly;
}

uint64_t pfs_store_new_ino(struct pfs_store *s)
{
    return s->next_ino++;
}
