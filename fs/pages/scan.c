#include <stdlib.h>

#include "fs/pages/store_impl.h"

/* One source of a merge: its position is the newest visible version of a key, or past the end. */
struct stream {
    const struct pfs_mem_version *mem;
    struct pfs_layer_cursor cursor;
    bool is_layer;
    bool valid;
    struct pfs_version at;
};

struct pfs_scan {
    struct pfs_view *view;
    pfs_lsn lsn;
    struct pfs_key to;
    struct pfs_key last; /* key last yielded */
    bool started;
    unsigned n;
    struct stream streams[];
};

static void settle(struct stream *st)
{
    if (st->is_layer) {
        st->valid = st->cursor.valid;
        if (st->valid)
            st->at = st->cursor.at;
    } else {
        st->valid = st->mem != NULL;
        if (st->valid)
            st->at = (struct pfs_version){.key = st->mem->key,
                                          .lsn = st->mem->lsn,
                                          .kind = st->mem->kind,
                                          .depth = st->mem->depth,
                                          .len = st->mem->len,
                                          .data = st->mem->data};
    }
}

static int step(struct stream *st)
{
    int err = 0;

    if (st->is_layer)
        err = pfs_layer_cursor_next(&st->cursor);
    else
        st->mem = pfs_memtable_next(st->mem);
    if (!err)
        settle(st);
    return err;
}

/* Pass over what a reader at lsn doesn't see. */
static int to_visible(struct pfs_scan *scan, struct stream *st)
{
    int err = 0;

    while (!err && st->valid && st->at.lsn > scan->lsn)
        err = step(st);
    return err;
}

static int open_stream(struct pfs_scan *scan, unsigned i, const struct pfs_key *from)
{
    struct pfs_source *source = scan->view->sources[i];
    struct stream *st = &scan->streams[i];
    int err = 0;

    st->is_layer = source->layer != NULL;
    if (st->is_layer) {
        pfs_layer_cursor_init(&st->cursor, source->layer);
        err = pfs_layer_cursor_seek(&st->cursor, from, PFS_LSN_MAX);
    } else {
        st->mem = pfs_memtable_seek(source->mt, from, PFS_LSN_MAX);
    }
    if (err)
        return err;
    settle(st);
    return to_visible(scan, st);
}

int pfs_scan_begin(struct pfs_store *s, const struct pfs_key *from, const struct pfs_key *to,
                   pfs_lsn lsn, struct pfs_scan **out)
{
    pfs_lsn visible = pfs_store_clamp(s, lsn);
    struct pfs_view *view = pfs_store_view(s);
    struct pfs_scan *scan = calloc(1, sizeof(*scan) + view->n_sources * sizeof(struct stream));
    int err = 0;

    if (!scan) {
        pfs_view_put(view);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    scan->view = view;
    scan->lsn = visible;
    scan->to = *to;
    for (; scan->n < view->n_sources && !err; scan->n++)
        err = open_stream(scan, scan->n, from);
    if (err) {
        pfs_scan_end(scan);
        return err;
    }
    *out = scan;
    return 0;
}

/* Pass every stream over the versions of the key last yielded. */
static int leave_last(struct pfs_scan *scan)
{
    for (unsigned i = 0; i < scan->n; i++) {
        struct stream *st = &scan->streams[i];

        while (st->valid && pfs_key_cmp(&st->at.key, &scan->last) <= 0) {
            int err = step(st);

            if (!err)
                err = to_visible(scan, st);
            if (err)
                return err;
        }
    }
    return 0;
}

int pfs_scan_next(struct pfs_scan *scan, struct pfs_version *v)
{
    for (;;) {
        struct stream *best = NULL;

        if (scan->started) {
            int err = leave_last(scan);

            if (err)
                return err;
        }
        /* Sources stand newest first and their LSNs don't overlap: among equal keys the first
         * wins. */
        for (unsigned i = 0; i < scan->n; i++) {
            struct stream *st = &scan->streams[i];

            if (st->valid && (!best || pfs_key_cmp(&st->at.key, &best->at.key) < 0))
                best = st;
        }
        if (!best || pfs_key_cmp(&best->at.key, &scan->to) > 0)
            return PFS_ENOENT;
        scan->last = best->at.key;
        scan->started = true;
        if (best->at.kind != PFS_KIND_DELETE) {
            *v = best->at;
            return 0;
        }
    }
}

void pfs_scan_end(struct pfs_scan *scan)
{
    for (unsigned i = 0; i < scan->n; i++)
        if (scan->streams[i].is_layer)
            pfs_layer_cursor_release(&scan->streams[i].cursor);
    pfs_view_put(scan->view);
    free(scan);
}
