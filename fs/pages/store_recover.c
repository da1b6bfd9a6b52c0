#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/pages/store_impl.h"
#include "wal/reader.h"

/* Is this file of layers/ one that the manifest names? */
static bool named(const struct pfs_store *s, const char *file)
{
    for (unsigned i = 0; i < s->manifest.n_layers; i++) {
        char name[256];

        pfs_manifest_layer_name(name, s->dir, s->manifest.layers[i].number);
        if (strcmp(strrchr(name, '/') + 1, file) == 0)
            return true;
    }
    return false;
}

static int remove_garbage(void *ctx, const char *file)
{
    struct pfs_store *s = ctx;
    char name[512];

    if (named(s, file))
        return 0;
    snprintf(name, sizeof(name), "%s/%s", s->layers_dir, file);
    pfs_log_info("pages", "removing %s, which no manifest names", name);
    return s->io->ops->unlink(s->io, name);
}

static int open_layers(struct pfs_store *s)
{
    const struct pfs_manifest *m = &s->manifest;
    int err = 0;

    s->layers = calloc(m->n_layers + 1, sizeof(struct pfs_source *));
    if (!s->layers)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    for (unsigned i = m->n_layers; i-- > 0 && !err;) {
        struct pfs_layer *layer;
        char name[256];

        pfs_manifest_layer_name(name, s->dir, m->layers[i].number);
        err = pfs_layer_open(s->io, name, &m->layers[i].info, s->cache, &layer);
        if (err == PFS_ENOENT)
            err = pfs_fail(PFS_ECORRUPT, "%s: missing, but the manifest names it", name);
        if (err)
            break;
        s->layers[s->n_layers] = pfs_source_layer(layer);
        if (s->layers[s->n_layers])
            s->n_layers++;
        else
            err = pfs_fail(PFS_ENOMEM, "out of memory");
    }
    return err;
}

static int set_memtable(struct pfs_store *s, pfs_lsn start)
{
    struct pfs_memtable *mt;
    int err = pfs_memtable_create(start, &mt);

    if (err)
        return err;
    s->active = pfs_source_memtable(mt);
    if (!s->active) {
        pfs_memtable_destroy(mt);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    s->active_since_ns = pfs_mono_ns();
    pthread_mutex_lock(&s->view_mu);
    err = pfs_store_publish(s);
    pthread_mutex_unlock(&s->view_mu);
    return err;
}

static int apply(struct pfs_store *s, const struct pfs_record *rec, const struct pfs_entry *entries,
                 uint64_t prev)
{
    pfs_lsn end = rec->lsn + rec->len;
    int err = 0;

    if (pfs_store_memtable_full(s))
        err = pfs_store_freeze_at(s, prev);
    if (!err)
        err = pfs_memtable_reserve(s->active->mt, entries, rec->n_entries);
    if (err)
        return err;
    for (unsigned i = 0; i < rec->n_entries; i++) {
        const struct pfs_mem_version *v = pfs_memtable_seek(s->active->mt, &entries[i].key, end);

        if (v && v->lsn == end && pfs_key_cmp(&v->key, &entries[i].key) == 0)
            return pfs_fail(PFS_ECORRUPT, "%s: the record at LSN %s names a key twice",
                            s->journal_dir, pfs_lsn_print(rec->lsn).s);
        pfs_memtable_insert(s->active->mt, &entries[i], end);
        if (entries[i].key.type == PFS_KEY_INODE && entries[i].key.a >= s->next_ino)
            s->next_ino = entries[i].key.a + 1;
    }
    s->head = end;
    s->recovered_records++;
    return 0;
}

/* Read the journal to its end; afterwards *how says where to go on. */
static int replay(struct pfs_store *s, struct pfs_journal_open *how)
{
    struct pfs_entry *entries;
    struct pfs_reader *reader;
    struct pfs_record rec;
    uint64_t prev = s->manifest.flushed_prev;
    int err = pfs_reader_create(s->io, s->journal_dir, &s->segment_id, s->manifest.flushed, prev,
                                &reader);

    if (err)
        return err;
    while ((err = pfs_reader_next(reader, &rec, &entries)) == 0) {
        err = apply(s, &rec, entries, prev);
        if (err)
            break;
        prev = pfs_reader_prev(reader);
        how->durable = pfs_max64(how->durable, pfs_min64(rec.durable, rec.lsn));
    }
    how->end = pfs_reader_position(reader);
    how->prev = pfs_reader_prev(reader);
    if (err == PFS_ETORN)
        err = pfs_reader_check_tail(reader);
    if (!err && how->end < s->manifest.durable) {
        char name[PFS_SEGMENT_NAME];

        pfs_segment_name(name, s->journal_dir, pfs_segment_start(&s->segment_id, how->end));
        err = pfs_fail(PFS_ECORRUPT,
                       "%s: damaged or missing at offset %" PRIu64 " (LSN %s): the journal was "
                       "durable up to %s",
                       name, PFS_SEGMENT_HEADER + pfs_segment_offset(&s->segment_id, how->end),
                       pfs_lsn_print(how->end).s, pfs_lsn_print(s->manifest.durable).s);
    }
    pfs_reader_destroy(reader);
    return err;
}

static int read_manifest(struct pfs_store *s)
{
    int err = pfs_manifest_read(s->io, s->dir, &s->manifest);

    if (err == PFS_ENOENT)
        return pfs_fail(PFS_ECORRUPT, "%s/manifest is missing", s->dir);
    if (err)
        return err;
    if (memcmp(s->manifest.uuid, s->config.uuid, 16) != 0)
        return pfs_fail(PFS_ECORRUPT, "%s/manifest belongs to another volume", s->dir);
    if (s->manifest.branch_id != s->config.branch_id)
        return pfs_fail(PFS_ECORRUPT, "%s/manifest belongs to branch %u, not %u", s->dir,
                        s->manifest.branch_id, s->config.branch_id);
    s->next_ino = s->manifest.next_ino;
    s->flushed = s->head = s->manifest.flushed;
    return 0;
}

int pfs_store_recover(struct pfs_store *s)
{
    struct pfs_journal_open how = {
        .io = s->io, .dir = s->journal_dir, .id = s->segment_id, .readonly = s->config.readonly};
    uint64_t started = pfs_mono_ns();
    int err = read_manifest(s);

    if (err)
        return err;
    how.start = s->manifest.flushed;
    how.durable = s->manifest.durable;
    /* A kill may have come between the manifest's rename and its sync. What the older one needs may
     * only go when that can't come back. */
    if (!s->config.readonly)
        err = s->io->ops->sync_dir(s->io, s->dir);
    if (!err)
        err = open_layers(s);
    if (!err)
        err = set_memtable(s, s->manifest.flushed);
    if (!err)
        err = replay(s, &how);
    if (!err)
        err = pfs_journal_open(&how, &s->journal);
    if (!err)
        s->head = pfs_journal_end(s->journal);
    if (!err && !s->config.readonly)
        err = s->io->ops->list(s->io, s->layers_dir, remove_garbage, s);
    s->recovery_ms = (pfs_mono_ns() - started) / 1000000;
    return err;
}
