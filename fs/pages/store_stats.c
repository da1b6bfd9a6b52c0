#include <string.h>

#include "fs/pages/store_impl.h"

static void layer_stats(struct pfs_view *view, struct pfs_store_stats *out)
{
    for (unsigned i = 0; i < view->n_sources; i++) {
        const struct pfs_source *source = view->sources[i];

        if (source->mt) {
            out->memtable_bytes += pfs_memtable_bytes(source->mt);
            out->memtable_versions += pfs_memtable_count(source->mt);
        } else {
            const struct pfs_layer_info *info = pfs_layer_info(source->layer);

            out->layer_bytes += info->size_bytes;
            out->layer_raw_bytes += info->raw_bytes;
        }
    }
    out->memtables = view->n_memtables;
    out->layers = view->n_sources - view->n_memtables;
}

void pfs_store_stats(struct pfs_store *s, struct pfs_store_stats *out)
{
    struct pfs_block_cache_stats cache;
    struct pfs_journal_stats journal;
    struct pfs_view *view = pfs_store_view(s);

    memset(out, 0, sizeof(*out));
    layer_stats(view, out);
    pfs_view_put(view);
    pfs_journal_stats(s->journal, &journal);
    pfs_block_cache_stats(s->cache, &cache);
    out->head = s->head;
    out->durable = journal.durable;
    out->flushed = s->flushed;
    out->journal_start = journal.start;
    out->journal_bytes = journal.bytes;
    out->syncs = journal.syncs;
    out->syncs_shared = journal.syncs_shared;
    out->commits = s->commits;
    out->payload_bytes = s->payload_bytes;
    out->stalls = s->stalls;
    out->flushes = s->flushes;
    out->cache_hits = cache.hits;
    out->cache_misses = cache.misses;
    out->cache_bytes = cache.bytes;
    out->next_ino = s->next_ino;
    out->recovered_records = s->recovered_records;
    out->recovery_ms = s->recovery_ms;
    out->poisoned = pfs_journal_poisoned(s->journal);
    if (s->io->ops->space(s->io, &out->disk_free, &out->disk_total))
        out->disk_free = out->disk_total = 0;
}
