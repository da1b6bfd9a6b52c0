#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "fs/pages/delta.h"
#include "fs/pages/store_impl.h"

/* A version that was found, wherever it stands. */
struct found {
    const struct pfs_mem_version *mem; /* in a memtable, or NULL */
    struct pfs_layer_cursor cursor;    /* in a layer; released by found_release() */
    bool in_layer;
    pfs_lsn lsn;
    uint32_t len;
    uint8_t kind, depth;
};

static void found_release(struct found *f)
{
    if (f->in_layer)
        pfs_layer_cursor_release(&f->cursor);
    f->in_layer = false;
}

int pfs_store_payload(struct pfs_store *s, const struct pfs_mem_version *v, void *buf)
{
    int err;

    if (v->len == 0)
        return 0;
    if (v->data) {
        memcpy(buf, v->data, v->len);
        return 0;
    }
    err = pfs_journal_pread(s->journal, buf, v->len, v->pos);
    if (err)
        return err;
    if (pfs_checksum(buf, v->len) == v->checksum)
        return 0;
    return pfs_fail(
        PFS_ECORRUPT, "%s: checksum mismatch in segment %s at offset %" PRIu64 " (LSN %s)",
        s->journal_dir, pfs_lsn_print(pfs_segment_start(&s->segment_id, v->pos)).s,
        PFS_SEGMENT_HEADER + pfs_segment_offset(&s->segment_id, v->pos), pfs_lsn_print(v->pos).s);
}

static bool found_in_memtable(const struct pfs_memtable *mt, const struct pfs_key *key, pfs_lsn lsn,
                              struct found *f)
{
    const struct pfs_mem_version *v = pfs_memtable_seek(mt, key, lsn);

    if (!v || pfs_key_cmp(&v->key, key) != 0)
        return false;
    f->mem = v;
    f->lsn = v->lsn;
    f->len = v->len;
    f->kind = v->kind;
    f->depth = v->depth;
    return true;
}

static int find_in_layer(struct pfs_layer *layer, const struct pfs_key *key, pfs_lsn lsn,
                         struct found *f)
{
    int err;

    if (pfs_layer_info(layer)->lsn_from >= lsn || !pfs_layer_may_have(layer, key))
        return PFS_ENOENT;
    pfs_layer_cursor_init(&f->cursor, layer);
    err = pfs_layer_cursor_seek(&f->cursor, key, lsn);
    if (!err && f->cursor.valid && pfs_key_cmp(&f->cursor.at.key, key) == 0) {
        f->in_layer = true;
        f->lsn = f->cursor.at.lsn;
        f->len = f->cursor.at.len;
        f->kind = f->cursor.at.kind;
        f->depth = f->cursor.at.depth;
        return 0;
    }
    pfs_layer_cursor_release(&f->cursor);
    return err ? err : PFS_ENOENT;
}

/* The newest version of key at or below lsn. PFS_ENOENT without a message: it is no failure. */
static int find(struct pfs_view *view, const struct pfs_key *key, pfs_lsn lsn, struct found *f)
{
    memset(f, 0, sizeof(*f));
    for (unsigned i = 0; i < view->n_memtables; i++)
        if (found_in_memtable(view->sources[i]->mt, key, lsn, f))
            return 0;
    for (unsigned i = view->n_memtables; i < view->n_sources; i++) {
        int err = find_in_layer(view->sources[i]->layer, key, lsn, f);

        if (err != PFS_ENOENT)
            return err;
    }
    return PFS_ENOENT;
}

static int found_payload(struct pfs_store *s, const struct found *f, void *buf)
{
    if (f->mem)
        return pfs_store_payload(s, f->mem, buf);
    if (f->len)
        memcpy(buf, f->cursor.at.data, f->len);
    return 0;
}

int pfs_store_get(struct pfs_store *s, const struct pfs_key *key, pfs_lsn lsn,
                  struct pfs_buf *value, pfs_lsn *version_out)
{
    struct pfs_view *view;
    struct found f;
    int err;

    assert(key->type != PFS_KEY_PAGE);
    lsn = pfs_store_clamp(s, lsn);
    view = pfs_store_view(s);
    err = find(view, key, lsn, &f);
    if (!err && f.kind == PFS_KIND_DELETE)
        err = PFS_ENOENT;
    if (!err) {
        value->len = 0;
        err = pfs_buf_reserve(value, f.len);
        if (!err)
            err = found_payload(s, &f, value->data);
        if (!err)
            value->len = f.len;
        if (!err && version_out)
            *version_out = f.lsn;
    }
    found_release(&f);
    pfs_view_put(view);
    return err;
}

/* Deltas on the way down to a whole version: their payloads, newest first. */
struct chain {
    struct pfs_buf bytes;
    uint32_t len[PFS_DELTA_DEPTH_MAX];
    unsigned n;
};

static int chain_push(struct pfs_store *s, struct chain *c, const struct found *f)
{
    void *at;

    if (f->len == 0)
        return pfs_fail(PFS_ECORRUPT, "a page delta is empty");
    if (c->n == PFS_DELTA_DEPTH_MAX)
        return pfs_fail(PFS_ECORRUPT, "a page stands on more than %d deltas", PFS_DELTA_DEPTH_MAX);
    at = pfs_buf_extend(&c->bytes, f->len);
    if (!at)
        return PFS_ENOMEM;
    c->len[c->n++] = f->len;
    return found_payload(s, f, at);
}

static int chain_apply(const struct chain *c, void *page, uint32_t page_size)
{
    size_t end = c->bytes.len;

    for (unsigned i = c->n; i-- > 0;) {
        int err;

        end -= c->len[i];
        err = pfs_delta_apply(page, page_size, c->bytes.data + end, c->len[i]);
        if (err)
            return err;
    }
    return 0;
}

/* The whole version that everything stands on. */
static int base_page(struct pfs_store *s, const struct found *f, void *page, uint32_t page_size)
{
    uint32_t len = f->kind == PFS_KIND_VALUE ? f->len : 0;
    int err = 0;

    if (len > page_size)
        return pfs_fail(PFS_ECORRUPT, "a page version is longer than a page");
    if (len)
        err = found_payload(s, f, page);
    memset((unsigned char *)page + len, 0, page_size - len);
    return err;
}

static int build_page(struct pfs_store *s, struct pfs_view *view, const struct pfs_key *key,
                      struct found *f, void *page)
{
    uint32_t page_size = s->config.page_size;
    struct chain chain = {0};
    int err = 0;

    pfs_buf_init(&chain.bytes, (size_t)PFS_DELTA_DEPTH_MAX * 65536);
    while (!err && f->kind == PFS_KIND_DELTA) {
        pfs_lsn below = f->lsn - 1;

        err = chain_push(s, &chain, f);
        found_release(f);
        if (!err)
            err = find(view, key, below, f);
        if (err == PFS_ENOENT)
            err = pfs_fail(PFS_ECORRUPT, "the version that a delta stands on is missing");
    }
    if (!err)
        err = base_page(s, f, page, page_size);
    if (!err && chain.n > 0)
        err = chain_apply(&chain, page, page_size);
    pfs_buf_release(&chain.bytes);
    return err;
}

int pfs_store_read_page(struct pfs_store *s, uint64_t ino, uint64_t block, pfs_lsn lsn, void *page,
                        struct pfs_page_version *version_out)
{
    struct pfs_key key = pfs_key(PFS_KEY_PAGE, ino, block);
    struct pfs_view *view;
    struct found f;
    int err;

    lsn = pfs_store_clamp(s, lsn);
    view = pfs_store_view(s);
    err = find(view, &key, lsn, &f);
    if (err == PFS_ENOENT) {
        *version_out = (struct pfs_page_version){.kind = PFS_KIND_DELETE};
        if (page)
            memset(page, 0, s->config.page_size);
        err = 0;
    } else if (!err) {
        *version_out = (struct pfs_page_version){.lsn = f.lsn, .kind = f.kind, .depth = f.depth};
        if (page)
            err = build_page(s, view, &key, &f, page);
        found_release(&f);
    }
    pfs_view_put(view);
    if (err)
        return pfs_context(err, "inode %" PRIu64 " page %" PRIu64 " at LSN %s", ino, block,
                           pfs_lsn_print(lsn).s);
    return 0;
}
