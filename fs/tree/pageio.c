#include "fs/tree/pageio.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocking.h"
#include "base/bytes.h"

static void view_of(struct pfs_tree *tree, const struct pfs_inode *inode,
                    struct pfs_extent_view *view)
{
    view->ino = inode->ino;
    view->size = inode->v.size;
    view->lsn = pfs_store_head(tree->store);
    view->n_marks = inode->v.n_marks;
    if (view->n_marks)
        memcpy(view->marks, inode->v.marks, view->n_marks * sizeof(*view->marks));
}

void pfs_extent_view(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_extent_view *view)
{
    pfs_mutex_lock(&inode->mu);
    view_of(tree, inode, view);
    pthread_mutex_unlock(&inode->mu);
}

int pfs_pageio_read(struct pfs_tree *tree, const struct pfs_extent_view *view, uint64_t block,
                    void *page, struct pfs_page_version *version_out, uint32_t *cut_out)
{
    uint32_t page_size = tree->page_size;
    uint64_t start = block * page_size, cut;
    int err = pfs_store_read_page(tree->store, view->ino, block, view->lsn, page, version_out);

    *cut_out = page_size;
    if (err || version_out->lsn == 0)
        return err;
    cut = pfs_marks_cut(view->marks, view->n_marks, version_out->lsn);
    if (cut < start + page_size) {
        *cut_out = cut <= start ? 0 : (uint32_t)(cut - start);
        if (page)
            memset((unsigned char *)page + *cut_out, 0, page_size - *cut_out);
    }
    return 0;
}

struct pfs_entry pfs_pageio_entry(const struct pfs_tree *tree, uint64_t ino, uint64_t block,
                                  const void *page)
{
    const unsigned char *p = page;
    uint32_t len = tree->page_size;
    struct pfs_entry entry = {.key = pfs_key(PFS_KEY_PAGE, ino, block), .kind = PFS_KIND_ZERO};

    while (len > 0 && pfs_get64(p + len - 8) == 0)
        len -= 8;
    if (len > 0) {
        entry.kind = PFS_KIND_VALUE;
        entry.data = page;
        entry.len = len;
    }
    return entry;
}

/* The batch of a zeroing under way. */
struct zeroing {
    struct pfs_tree *tree;
    struct pfs_inode *inode;
    struct pfs_extent_view view;
    uint64_t from, to;
    pfs_lsn older;
    struct pfs_entry *entries;
    unsigned n;
    unsigned char *edges; /* two pages, for the first and the last block */
    unsigned n_edges;
    uint64_t holes;
};

static int add_page(struct zeroing *z, const struct pfs_version *v)
{
    uint32_t page_size = z->tree->page_size;
    uint64_t start = v->key.b * page_size;
    uint64_t from = pfs_max64(z->from, start), to = pfs_min64(z->to, start + page_size);
    struct pfs_page_version version;
    unsigned char *page;
    uint32_t cut;
    int err;

    if (v->lsn >= z->older)
        return 0;
    if (z->older == PFS_LSN_MAX && pfs_marks_cut(z->view.marks, z->view.n_marks, v->lsn) <= from)
        return 0; /* a mark has zeroed it already */
    if (from == start && (to == start + page_size || to >= z->view.size)) {
        z->entries[z->n++] = (struct pfs_entry){.key = v->key, .kind = PFS_KIND_DELETE};
        z->holes++;
        return 0;
    }
    assert(z->n_edges < 2);
    page = z->edges + (size_t)z->n_edges++ * page_size;
    err = pfs_pageio_read(z->tree, &z->view, v->key.b, page, &version, &cut);
    if (err)
        return err;
    memset(page + (from - start), 0, to - from);
    z->entries[z->n++] = pfs_pageio_entry(z->tree, z->view.ino, v->key.b, page);
    return 0;
}

static int commit_batch(struct zeroing *z)
{
    pfs_lsn lsn;
    int err;

    if (z->n == 0)
        return 0;
    err = pfs_store_commit(z->tree->store, PFS_OP_FALLOCATE, z->entries, z->n, &lsn);
    z->n = 0;
    z->n_edges = 0;
    if (!err) {
        z->inode->last_lsn = lsn;
        z->inode->dirty = true; /* an inode that leaves the cache must leave its last LSN behind */
    }
    return err;
}

static int zero_pages(struct zeroing *z)
{
    uint32_t page_size = z->tree->page_size;
    struct pfs_key a = pfs_key(PFS_KEY_PAGE, z->view.ino, z->from / page_size);
    struct pfs_key b = pfs_key(PFS_KEY_PAGE, z->view.ino, (z->to - 1) / page_size);
    struct pfs_version v;
    struct pfs_scan *scan;
    int err;

    if (z->from >= z->to)
        return 0;
    err = pfs_scan_begin(z->tree->store, &a, &b, PFS_LSN_MAX, &scan);
    if (err)
        return err;
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        if (z->n == PFS_ZERO_BATCH)
            err = commit_batch(z);
        if (!err)
            err = add_page(z, &v);
        if (err)
            break;
    }
    pfs_scan_end(scan);
    return err == PFS_ENOENT ? 0 : err;
}

int pfs_pageio_zero(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t from, uint64_t to,
                    pfs_lsn older, struct pfs_change *last)
{
    struct zeroing z = {.tree = tree, .inode = inode, .from = from, .to = to, .older = older};
    pfs_lsn lsn;
    int err;

    view_of(tree, inode, &z.view);
    z.entries = malloc((PFS_ZERO_BATCH + 1) * sizeof(*z.entries));
    z.edges = malloc(2 * (size_t)tree->page_size);
    err = z.entries && z.edges ? 0 : pfs_fail(PFS_ENOMEM, "out of memory");
    if (!err)
        err = zero_pages(&z);
    inode->epoch = ++tree->next_epoch;
    if (!err && last) {
        last->v.pages -= pfs_min64(last->v.pages, z.holes);
        z.entries[z.n++] = pfs_change_entry(last);
        err = pfs_store_commit(tree->store, PFS_OP_FALLOCATE, z.entries, z.n, &lsn);
        if (!err)
            pfs_change_apply(last, lsn);
    } else if (!err) {
        err = commit_batch(&z);
    }
    free(z.entries);
    free(z.edges);
    return err;
}
