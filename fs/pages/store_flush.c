#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/pages/store_impl.h"

/* Each version of the memtable, payloads fetched from the journal, into the layer. */
static int write_versions(struct pfs_store *s, const struct pfs_memtable *mt,
                          struct pfs_layer_writer *w)
{
    struct pfs_key first = {0};
    struct pfs_buf value;
    int err = 0;

    pfs_buf_init(&value, PFS_RECORD_MAX);
    for (const struct pfs_mem_version *v = pfs_memtable_seek(mt, &first, PFS_LSN_MAX); v && !err;
         v = pfs_memtable_next(v)) {
        struct pfs_version out = {
            .key = v->key, .lsn = v->lsn, .kind = v->kind, .depth = v->depth, .len = v->len};

        value.len = 0;
        err = pfs_buf_reserve(&value, v->len);
        if (!err)
            err = pfs_store_payload(s, v, value.data);
        out.data = value.data;
        if (!err)
            err = pfs_layer_writer_add(w, &out);
    }
    pfs_buf_release(&value);
    return err;
}

/* Make the layer file for (start, end]; durable with its name on return. */
static int write_layer(struct pfs_store *s, const struct pfs_memtable *mt, pfs_lsn end,
                       const char *name, struct pfs_layer_info *info)
{
    struct pfs_layer_writer *w;
    int err;

    memset(info, 0, sizeof(*info));
    memcpy(info->uuid, s->config.uuid, sizeof(info->uuid));
    info->branch = s->config.branch_id;
    info->lsn_from = pfs_memtable_start(mt);
    info->lsn_to = end;
    err = pfs_layer_writer_create(s->io, name, info, &w);
    if (err)
        return err;
    err = write_versions(s, mt, w);
    if (!err)
        err = pfs_layer_writer_finish(w, info);
    pfs_layer_writer_destroy(w);
    if (!err)
        err = s->io->ops->sync_dir(s->io, s->layers_dir);
    if (err)
        (void)!s->io->ops->unlink(s->io, name); /* no manifest names it yet */
    return err;
}

/* Room for one more layer and one more retired memtable. */
static int reserve(struct pfs_store *s)
{
    struct pfs_source **retired, **layers;

    retired = realloc(s->retired, (s->n_retired + 1) * sizeof(struct pfs_source *));
    if (retired)
        s->retired = retired;
    pthread_mutex_lock(&s->view_mu);
    layers = realloc(s->layers, (s->n_layers + 1) * sizeof(struct pfs_source *));
    if (layers)
        s->layers = layers;
    pthread_mutex_unlock(&s->view_mu);
    return retired && layers ? 0 : pfs_fail(PFS_ENOMEM, "out of memory");
}

/* The layer is in the manifest: show it to readers in the memtable's place. There is no way back
 * from here; without the memory for a view it is better to end, and to recover from the manifest.
 *  */
static void swap_in(struct pfs_store *s, struct pfs_source *memtable, struct pfs_source *layer)
{
    pthread_mutex_lock(&s->view_mu);
    memmove(s->layers + 1, s->layers, s->n_layers * sizeof(struct pfs_source *));
    s->layers[0] = layer;
    s->n_layers++;
    s->n_frozen--;
    assert(s->frozen[s->n_frozen].memtable == memtable);
    if (pfs_store_publish(s)) {
        pfs_log_error("pages", "%s: out of memory, ending", s->dir);
        abort();
    }
    pthread_mutex_unlock(&s->view_mu);
    s->retired[s->n_retired++] = memtable;
}

/* Name the layer in the manifest. On failure the manifest in memory is as before; the file stays,
 * since nobody knows which manifest is on disk. */
static int enter(struct pfs_store *s, uint64_t number, const struct pfs_layer_info *info,
                 uint64_t prev)
{
    struct pfs_manifest *m = &s->manifest;
    pfs_lsn old_flushed = m->flushed;
    uint64_t old_prev = m->flushed_prev;
    int err = pfs_manifest_add(m, number, info);

    if (err)
        return err;
    m->flushed = info->lsn_to;
    m->flushed_prev = prev;
    m->durable = pfs_journal_durable(s->journal);
    m->next_ino = s->next_ino;
    err = pfs_manifest_write(s->io, s->dir, m);
    if (err) {
        m->n_layers--;
        m->flushed = old_flushed;
        m->flushed_prev = old_prev;
    }
    return err;
}

/* Write the layer of a frozen memtable and open it. */
static int make_layer(struct pfs_store *s, const struct pfs_frozen *f, uint64_t number,
                      struct pfs_layer_info *info, struct pfs_source **out)
{
    struct pfs_layer *layer;
    char name[256];
    int err;

    /* What a layer holds must be in the journal for good: else a crash could take back LSNs that
     * the layer already has, and give them to other records. */
    err = pfs_journal_sync(s->journal, f->end);
    if (err)
        return err;
    pfs_manifest_layer_name(name, s->dir, number);
    err = write_layer(s, f->memtable->mt, f->end, name, info);
    if (!err)
        err = pfs_layer_open(s->io, name, info, s->cache, &layer);
    if (err)
        return err;
    *out = pfs_source_layer(layer);
    if (*out)
        return 0;
    pfs_layer_close(layer);
    return pfs_fail(PFS_ENOMEM, "out of memory");
}

static int flush_oldest(struct pfs_store *s)
{
    uint64_t number = s->manifest.next_layer++;
    struct pfs_layer_info info;
    struct pfs_source *layer;
    struct pfs_frozen f;
    int err;

    pthread_mutex_lock(&s->view_mu);
    f = s->frozen[s->n_frozen - 1];
    pthread_mutex_unlock(&s->view_mu);
    err = reserve(s);
    if (!err)
        err = make_layer(s, &f, number, &info, &layer);
    if (err)
        return err;
    err = enter(s, number, &info, f.prev);
    if (err) {
        pfs_source_put(layer);
        return err;
    }
    swap_in(s, f.memtable, layer);
    s->flushed = f.end;
    s->flushes++;
    return 0;
}

int pfs_store_trim(struct pfs_store *s)
{
    pfs_lsn keep;
    unsigned n = 0;

    pthread_mutex_lock(&s->flush_mu);
    /* A retired memtable with our reference alone is in no view, so nobody can come to it again. */
    while (n < s->n_retired && s->retired[n]->refs == 1)
        pfs_source_put(s->retired[n++]);
    s->n_retired -= n;
    if (s->n_retired)
        memmove(s->retired, s->retired + n, s->n_retired * sizeof(struct pfs_source *));
    keep = s->n_retired ? pfs_memtable_start(s->retired[0]->mt) : s->flushed;
    pthread_mutex_unlock(&s->flush_mu);
    return pfs_journal_trim(s->journal, keep);
}

int pfs_store_flush_one(struct pfs_store *s, bool *more_out)
{
    int err = 0;

    pthread_mutex_lock(&s->flush_mu);
    if (s->n_frozen > 0)
        err = flush_oldest(s);
    *more_out = s->n_frozen > 0;
    pthread_mutex_unlock(&s->flush_mu);

    pthread_mutex_lock(&s->stall_mu);
    s->flush_round++;
    s->flush_error = err;
    pthread_cond_broadcast(&s->stall_over);
    pthread_mutex_unlock(&s->stall_mu);
    return err;
}

int pfs_store_flush(struct pfs_store *s)
{
    bool more = true;
    int err;

    if (s->config.readonly)
        return pfs_fail(PFS_EROFS, "the volume is open read-only");
    pthread_mutex_lock(&s->commit_mu);
    err = pfs_store_freeze(s);
    pthread_mutex_unlock(&s->commit_mu);
    while (!err && more)
        err = pfs_store_flush_one(s, &more);
    if (!err)
        err = pfs_store_trim(s);
    return err;
}
