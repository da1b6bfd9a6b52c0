#include <stdio.h>
#include <string.h>

#include "fs/pages/store_impl.h"
#include "wal/reader.h"

struct reporter {
    pfs_store_damage_cb *cb;
    void *ctx;
    const char *file;
};

static void layer_damage(void *arg, uint64_t offset, const char *text)
{
    struct reporter *r = arg;

    r->cb(r->ctx, r->file, offset, text);
}

static void journal_damage(struct pfs_store *s, struct reporter *r, pfs_lsn lsn)
{
    char name[PFS_SEGMENT_NAME];

    pfs_segment_name(name, s->journal_dir, pfs_segment_start(&s->segment_id, lsn));
    r->cb(r->ctx, name, PFS_SEGMENT_HEADER + pfs_segment_offset(&s->segment_id, lsn),
          pfs_err_message());
}

/* Recovery has read the journal past the flush already; what is read here is read from the disk a
 * second time, since it may have gone bad meanwhile. */
static int verify_journal(struct pfs_store *s, struct reporter *r)
{
    struct pfs_entry *entries;
    struct pfs_reader *reader;
    struct pfs_record rec;
    int err;

    err = pfs_reader_create(s->io, s->journal_dir, &s->segment_id, s->manifest.flushed,
                            s->manifest.flushed_prev, &reader);
    if (err)
        return err;
    do
        err = pfs_reader_next(reader, &rec, &entries);
    while (!err);
    if (err == PFS_ETORN)
        err = pfs_reader_check_tail(reader);
    if (!err && pfs_reader_position(reader) < s->head)
        err = pfs_fail(PFS_ECORRUPT, "the journal ends at LSN %s, before %s",
                       pfs_lsn_print(pfs_reader_position(reader)).s, pfs_lsn_print(s->head).s);
    if (err == PFS_ECORRUPT)
        journal_damage(s, r, pfs_reader_position(reader));
    pfs_reader_destroy(reader);
    return err;
}

int pfs_store_verify(struct pfs_store *s, pfs_store_damage_cb *cb, void *ctx)
{
    struct reporter r = {.cb = cb, .ctx = ctx};
    struct pfs_view *view = pfs_store_view(s);
    int worst = 0;

    for (unsigned i = view->n_memtables; i < view->n_sources; i++) {
        struct pfs_layer *layer = view->sources[i]->layer;
        int err;

        r.file = pfs_layer_name(layer);
        err = pfs_layer_verify(layer, layer_damage, &r);
        if (err)
            worst = err;
    }
    pfs_view_put(view);
    if (!worst || worst == PFS_ECORRUPT) {
        int err = verify_journal(s, &r);

        if (err)
            worst = err;
    }
    return worst;
}
