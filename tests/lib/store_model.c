#include "tests/lib/store_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pages/delta.h"
#include "tests/lib/layer_model.h"

#define CHANGES_MAX 4

static uint64_t random_below(struct history *h, uint64_t n)
{
    return model_random(&h->random) % n;
}

void history_init(struct history *h, struct pfs_io *io, uint64_t seed)
{
    memset(h, 0, sizeof(*h));
    h->io = io;
    h->random = seed;
    h->config = (struct pfs_store_config){.io = io,
                                          .dir = "branches/1",
                                          .uuid = "0123456789abcde",
                                          .branch_id = 1,
                                          .page_size = HISTORY_PAGE,
                                          .flush_journal_bytes = 32768,
                                          .cache_bytes = 65536,
                                          .segment_bytes = 8192};
    h->v = calloc(HISTORY_MAX, sizeof(*h->v));
    assert_non_null(h->v);
    assert_int_equal(pfs_store_create(&h->config), 0);
    history_open(h);
}

void history_release(struct history *h)
{
    if (h->store)
        history_abandon(h);
    for (size_t i = 0; i < h->n; i++)
        free(h->v[i].bytes);
    free(h->v);
}

void history_close(struct history *h)
{
    assert_int_equal(pfs_store_close(h->store), 0);
    h->store = NULL;
}

void history_abandon(struct history *h)
{
    pfs_store_abandon(h->store);
    h->store = NULL;
}

void history_open(struct history *h)
{
    if (pfs_store_open(&h->config, &h->store))
        fail_msg("open: %s", pfs_err_message());
}

/* The version that a reader at lsn sees, or NULL. */
static const struct history_version *find(const struct history *h, const struct pfs_key *key,
                                          pfs_lsn lsn)
{
    for (size_t i = h->n; i-- > 0;)
        if (h->v[i].lsn <= lsn && pfs_key_cmp(&h->v[i].key, key) == 0)
            return &h->v[i];
    return NULL;
}

/* --- changing --------------------------------------------------------------------------------- */

/* A change in the making: what is journaled, and what the key holds after it. */
struct change {
    struct pfs_entry entry;
    unsigned char payload[HISTORY_PAGE], after[HISTORY_PAGE];
    uint32_t len; /* of after */
};

static void random_bytes(struct history *h, unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (unsigned char)random_below(h, 256);
}

static void change_meta(struct history *h, struct change *c)
{
    c->entry.key = pfs_key(PFS_KEY_INODE, 1 + random_below(h, HISTORY_METAS), 0);
    c->entry.kind = random_below(h, 4) ? PFS_KIND_VALUE : PFS_KIND_DELETE;
    c->len = c->entry.kind == PFS_KIND_VALUE ? (uint32_t)random_below(h, 200) : 0;
    random_bytes(h, c->payload, c->len);
    memcpy(c->after, c->payload, c->len);
    c->entry.len = c->len;
}

/* A small change of the page as a delta. False if there is nothing to stand on. */
static bool change_by_delta(struct history *h, struct change *c)
{
    const struct history_version *old = find(h, &c->entry.key, PFS_LSN_MAX);
    size_t len;

    if (!old || old->kind == PFS_KIND_DELETE || old->depth >= PFS_DELTA_DEPTH_MAX)
        return false;
    memcpy(c->after, old->bytes, HISTORY_PAGE);
    for (unsigned i = 0; i < 3; i++)
        random_bytes(h, c->after + random_below(h, HISTORY_PAGE - 8), random_below(h, 8));
    len = pfs_delta_encode(old->bytes, c->after, HISTORY_PAGE, c->payload, sizeof(c->payload));
    assert_int_not_equal(len, 0);
    c->entry.kind = PFS_KIND_DELTA;
    c->entry.depth = (uint8_t)(old->depth + 1);
    c->entry.len = (uint32_t)len;
    return true;
}

static void change_page(struct history *h, struct change *c)
{
    uint64_t what = random_below(h, 10);

    c->entry.key =
        pfs_key(PFS_KEY_PAGE, 1 + random_below(h, HISTORY_INOS), random_below(h, HISTORY_BLKS));
    c->len = HISTORY_PAGE;
    if (what < 5 && change_by_delta(h, c))
        return;
    if (what < 8) {
        c->entry.kind = PFS_KIND_VALUE;
        c->entry.len = 1 + (uint32_t)random_below(h, HISTORY_PAGE);
        random_bytes(h, c->payload, c->entry.len);
        memcpy(c->after, c->payload, c->entry.len);
    } else {
        c->entry.kind = what == 8 ? PFS_KIND_ZERO : PFS_KIND_DELETE;
    }
}

static void note(struct history *h, const struct change *c, pfs_lsn lsn)
{
    struct history_version *v = &h->v[h->n++];

    assert_in_range(h->n, 1, HISTORY_MAX);
    *v = (struct history_version){.key = c->entry.key,
                                  .lsn = lsn,
                                  .kind = c->entry.kind,
                                  .depth = c->entry.depth,
                                  .len = c->len,
                                  .bytes = malloc(c->len + 1)};
    assert_non_null(v->bytes);
    memcpy(v->bytes, c->after, c->len);
}

int history_commit(struct history *h)
{
    struct change changes[CHANGES_MAX];
    struct pfs_entry entries[CHANGES_MAX];
    unsigned want = 1 + (unsigned)random_below(h, CHANGES_MAX), n = 0;
    pfs_lsn lsn;
    int err;

    while (n < want) {
        struct change *c = &changes[n];
        bool twice = false;

        memset(c, 0, sizeof(*c));
        if (random_below(h, 2))
            change_meta(h, c);
        else
            change_page(h, c);
        for (unsigned i = 0; i < n; i++)
            twice |= pfs_key_cmp(&changes[i].entry.key, &c->entry.key) == 0;
        if (!twice) {
            entries[n] = c->entry;
            entries[n++].data = c->payload;
        }
    }
    err = pfs_store_commit(h->store, PFS_OP_WRITE, entries, n, &lsn);
    if (err)
        return err;
    assert_int_equal(lsn, pfs_store_head(h->store));
    for (unsigned i = 0; i < n; i++)
        note(h, &changes[i], lsn);
    return 0;
}

void history_commits(struct history *h, unsigned n)
{
    while (n-- > 0)
        if (history_commit(h))
            fail_msg("commit: %s", pfs_err_message());
}

/* --- checking --------------------------------------------------------------------------------- */

static void check_meta(struct history *h, uint64_t ino, pfs_lsn lsn)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, ino, 0);
    const struct history_version *want = find(h, &key, lsn);
    struct pfs_buf value;
    pfs_lsn at;
    int err;

    pfs_buf_init(&value, 4096);
    err = pfs_store_get(h->store, &key, lsn, &value, &at);
    if (!want || want->kind == PFS_KIND_DELETE) {
        assert_int_equal(err, PFS_ENOENT);
    } else {
        assert_int_equal(err, 0);
        assert_int_equal(at, want->lsn);
        assert_int_equal(value.len, want->len);
        if (want->len)
            assert_memory_equal(value.data, want->bytes, want->len);
    }
    pfs_buf_release(&value);
}

static void check_page(struct history *h, uint64_t ino, uint64_t blk, pfs_lsn lsn)
{
    static const unsigned char nothing[HISTORY_PAGE];
    struct pfs_key key = pfs_key(PFS_KEY_PAGE, ino, blk);
    const struct history_version *want = find(h, &key, lsn);
    struct pfs_page_version version;
    unsigned char page[HISTORY_PAGE];

    memset(page, 0xee, sizeof(page));
    if (pfs_store_read_page(h->store, ino, blk, lsn, page, &version))
        fail_msg("read: %s", pfs_err_message());
    assert_memory_equal(page, want ? want->bytes : nothing, HISTORY_PAGE);
    assert_int_equal(version.lsn, want ? want->lsn : 0);
    assert_int_equal(version.kind, want ? want->kind : PFS_KIND_DELETE);
    assert_int_equal(version.depth, want ? want->depth : 0);
}

/* The smallest key past `after` (NULL: from `from`) that is there at lsn. */
static const struct history_version *next(const struct history *h, const struct pfs_key *from,
                                          const struct pfs_key *to, pfs_lsn lsn, bool past)
{
    const struct history_version *best = NULL;

    for (size_t i = 0; i < h->n; i++) {
        const struct history_version *v = &h->v[i];
        int c = pfs_key_cmp(&v->key, from);

        if (c < 0 || (c == 0 && past) || pfs_key_cmp(&v->key, to) > 0 || v->lsn > lsn)
            continue;
        if (best && pfs_key_cmp(&v->key, &best->key) >= 0)
            continue;
        if (find(h, &v->key, lsn)->kind != PFS_KIND_DELETE)
            best = v;
    }
    return best ? find(h, &best->key, lsn) : NULL;
}

static void check_scan(struct history *h, struct pfs_key from, struct pfs_key to, pfs_lsn lsn)
{
    const struct history_version *want = next(h, &from, &to, lsn, false);
    struct pfs_version v;
    struct pfs_scan *scan;

    assert_int_equal(pfs_scan_begin(h->store, &from, &to, lsn, &scan), 0);
    for (; want; want = next(h, &want->key, &to, lsn, true)) {
        assert_int_equal(pfs_scan_next(scan, &v), 0);
        assert_int_equal(pfs_key_cmp(&v.key, &want->key), 0);
        assert_int_equal(v.lsn, want->lsn);
        assert_int_equal(v.kind, want->kind);
        if (v.key.type != PFS_KEY_PAGE) {
            assert_int_equal(v.len, want->len);
            assert_memory_equal(v.data, want->bytes, v.len);
        }
    }
    assert_int_equal(pfs_scan_next(scan, &v), PFS_ENOENT);
    assert_int_equal(pfs_scan_next(scan, &v), PFS_ENOENT);
    pfs_scan_end(scan);
}

void history_check(struct history *h, pfs_lsn lsn)
{
    uint64_t a = random_below(h, HISTORY_METAS), b = random_below(h, HISTORY_METAS);

    for (uint64_t ino = 1; ino <= HISTORY_METAS; ino++)
        check_meta(h, ino, lsn);
    for (uint64_t ino = 1; ino <= HISTORY_INOS; ino++)
        for (uint64_t blk = 0; blk < HISTORY_BLKS; blk++)
            check_page(h, ino, blk, lsn);
    check_scan(h, (struct pfs_key){0}, pfs_key(PFS_KEY_PAGE, UINT64_MAX, UINT64_MAX), lsn);
    check_scan(h, pfs_key(PFS_KEY_INODE, a, 0), pfs_key(PFS_KEY_INODE, b, 0), lsn);
    check_scan(h, pfs_key(PFS_KEY_PAGE, 2, 3), pfs_key(PFS_KEY_PAGE, 2, 6), lsn);
}

void history_check_all(struct history *h, unsigned n)
{
    history_check(h, PFS_LSN_MAX);
    while (n-- > 0 && h->n > 0)
        history_check(h, h->v[random_below(h, h->n)].lsn - random_below(h, 2));
}
