/* Writing files. One call is one record: the pages, and the inode when its size or its journaled
 * times change. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "fs/tree/name.h"
#include "fs/tree/pageio.h"
#include "fs/tree/truncate.h"
#include "fs/tree/xattr.h"

#define MAX_PAGES (PFS_IO_MAX / 4096 + 1)

/* What a write needs besides the caller's bytes; one a thread, kept. */
struct scratch {
    struct pfs_entry entries[MAX_PAGES + 2];
    struct pfs_change change;
    struct pfs_extent_view view;
    unsigned char edges[2][65536]; /* first and last page when they are written in part */
    unsigned char deltas[PFS_IO_MAX / 2 + 65536];
    unsigned char caps[PFS_DENTRY_FIXED];
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    if (pthread_key_create(&scratch_key, free))
        abort();
}

static struct scratch *get_scratch(void)
{
    struct scratch *s;

    pthread_once(&scratch_once, make_key);
    s = pthread_getspecific(scratch_key);
    if (!s) {
        s = malloc(sizeof(*s));
        if (s && pthread_setspecific(scratch_key, s)) {
            free(s);
            s = NULL;
        }
    }
    return s;
}

struct writing {
    struct pfs_tree *tree;
    struct pfs_inode *inode;
    struct scratch *s;
    unsigned n; /* entries */
    unsigned n_edges;
    size_t delta_len;   /* of s->deltas in use */
    uint64_t new_pages; /* that held no data before */
    bool sparse;        /* the file has holes: ask for each page whether it is new */
    unsigned caps;      /* attributes that the write takes away: 1 or 0 */
};

/* Count the page if it is a new one. */
static int count_page(struct writing *w, uint64_t block)
{
    struct pfs_page_version version;
    uint32_t cut;
    int err;

    if (block >= pfs_pages_of(w->tree, w->s->view.size)) {
        w->new_pages++;
        return 0;
    }
    if (!w->sparse)
        return 0;
    err = pfs_pageio_read(w->tree, &w->s->view, block, NULL, &version, &cut);
    if (!err && !pfs_pageio_present(&version, cut))
        w->new_pages++;
    return err;
}

/* The whole page as it is to be: as a delta if the one before is at hand, else as a value. */
static void add_page(struct writing *w, uint64_t block, const void *page, bool keep)
{
    struct pfs_tree *tree = w->tree;
    struct scratch *s = w->s;
    size_t left = sizeof(s->deltas) - w->delta_len;
    size_t cap = pfs_min64(tree->page_size / 2, left), len;
    uint8_t depth;

    len = pfs_recent_replace(tree->recent, w->inode->epoch, block, page, keep,
                             s->deltas + w->delta_len, cap, &depth);
    if (len == 0) {
        s->entries[w->n++] = pfs_pageio_entry(tree, w->inode->ino, block, page);
        return;
    }
    s->entries[w->n++] = (struct pfs_entry){.key = pfs_key(PFS_KEY_PAGE, w->inode->ino, block),
                                            .kind = PFS_KIND_DELTA,
                                            .depth = depth,
                                            .len = (uint32_t)len,
                                            .data = s->deltas + w->delta_len};
    w->delta_len += (len + 7) & ~(size_t)7;
}

/* A page of which only [in_page, in_page + len) is written. */
static int add_part(struct writing *w, uint64_t block, size_t in_page, const void *buf, size_t len)
{
    struct pfs_tree *tree = w->tree;
    struct pfs_page_version version;
    unsigned char *page;
    uint8_t depth;
    uint32_t cut;
    int err;

    assert(w->n_edges < 2);
    page = w->s->edges[w->n_edges++];
    if (!pfs_recent_get(tree->recent, w->inode->epoch, block, page, &depth)) {
        if (block >= pfs_pages_of(tree, w->s->view.size)) {
            memset(page, 0, tree->page_size); /* nothing there yet */
        } else {
            err = pfs_pageio_read(tree, &w->s->view, block, page, &version, &cut);
            if (err)
                return err;
            /* A page as the store has it can be the base of a delta; one that is a hole or that a
             * mark has cut is written whole. */
            if (pfs_pageio_present(&version, cut) && cut == tree->page_size)
                pfs_recent_put(tree->recent, w->inode->epoch, block, page, version.depth);
        }
    }
    memcpy(page + in_page, buf, len);
    add_page(w, block, page, true);
    return 0;
}

static int add_pages(struct writing *w, const unsigned char *buf, size_t size, uint64_t off)
{
    uint32_t page_size = w->tree->page_size;
    int err = 0;

    while (size > 0 && !err) {
        uint64_t block = off / page_size;
        size_t in_page = off % page_size;
        size_t part = (size_t)pfs_min64(size, page_size - in_page);

        err = count_page(w, block);
        if (!err && part == page_size)
            add_page(w, block, buf, part == size); /* only the last is likely to come again */
        else if (!err)
            err = add_part(w, block, in_page, buf, part);
        buf += part;
        off += part;
        size -= part;
    }
    return err;
}

/* A program that is written to loses its capabilities. The kernel sees to that, but not for files
 * that are open in direct mode. */
static int add_caps(struct writing *w)
{
    struct pfs_inode *inode = w->inode;
    int err;

    if (inode->v.n_xattrs == 0 || inode->no_caps)
        return 0;
    err = pfs_xattr_clear_entry(w->tree, inode, PFS_XATTR_CAPS, w->s->caps, &w->s->entries[w->n]);
    if (!err) {
        w->caps = 1;
        w->n++;
    }
    inode->no_caps = err == PFS_ENODATA;
    return err == PFS_ENODATA ? 0 : err;
}

static bool kills_priv(const struct pfs_ivalue *v)
{
    return (v->mode & S_ISUID) || (v->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

/* The inode's part. True if the record must carry it. */
static bool change_inode(struct writing *w, uint64_t end, bool kill_priv)
{
    struct pfs_change *c = &w->s->change;
    bool must;

    pfs_change_begin(c, w->inode);
    c->v.mtime_ns = c->v.ctime_ns = pfs_wall_ns();
    c->v.pages += w->new_pages;
    c->v.n_xattrs -= w->caps;
    must = w->new_pages > 0 || w->caps > 0 || end > c->v.size ||
           c->v.mtime_ns / PFS_NS_PER_S != w->inode->journaled_ns / PFS_NS_PER_S;
    if (end > c->v.size)
        c->v.size = end;
    if (kill_priv && kills_priv(&c->v)) {
        c->v.mode &= ~(uint32_t)(S_ISUID | ((c->v.mode & S_IXGRP) ? S_ISGID : 0));
        must = true;
    }
    return must;
}

static int write_locked(struct writing *w, const void *buf, size_t size, uint64_t off,
                        bool kill_priv)
{
    struct scratch *s = w->s;
    struct pfs_inode *inode = w->inode;
    bool with_inode;
    pfs_lsn lsn;
    int err;

    s->view.ino = inode->ino;
    s->view.size = inode->v.size;
    s->view.lsn = PFS_LSN_MAX; /* nobody else writes to it while we hold mu */
    s->view.n_marks = inode->v.n_marks;
    if (inode->v.n_marks)
        memcpy(s->view.marks, inode->v.marks, inode->v.n_marks * sizeof(*s->view.marks));
    w->sparse = inode->v.pages < pfs_pages_of(w->tree, inode->v.size);
    err = add_pages(w, buf, size, off);
    if (!err)
        err = add_caps(w);
    if (!err) {
        with_inode = change_inode(w, off + size, kill_priv);
        if (with_inode)
            s->entries[w->n++] = pfs_change_entry(&s->change);
        err = pfs_store_commit(w->tree->store, PFS_OP_WRITE, s->entries, w->n, &lsn);
    }
    if (err) {
        inode->epoch = ++w->tree->next_epoch; /* what we remembered was not written */
        return err;
    }
    if (with_inode) {
        pfs_change_apply(&s->change, lsn);
    } else {
        inode->v.mtime_ns = s->change.v.mtime_ns;
        inode->v.ctime_ns = s->change.v.ctime_ns;
        inode->dirty = true;
        inode->last_lsn = lsn;
    }
    return 0;
}

int pfs_file_write(struct pfs_tree *tree, struct pfs_handle *handle, const void *buf, size_t size,
                   uint64_t off, bool kill_priv)
{
    struct writing w = {.tree = tree, .inode = handle->inode, .s = get_scratch()};
    pfs_lsn lsn;
    int err;

    if (tree->readonly)
        return PFS_EROFS;
    if (!w.s)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    if (size > PFS_IO_MAX)
        return PFS_EINVAL;
    if (off > PFS_FILE_MAX || size > PFS_FILE_MAX - off)
        return PFS_EFBIG;
    if (size == 0)
        return 0;
    pfs_mutex_lock(&handle->inode->mu);
    err = write_locked(&w, buf, size, off, kill_priv);
    lsn = handle->inode->last_lsn;
    pthread_mutex_unlock(&handle->inode->mu);
    if (!err && handle->sync_writes)
        err = pfs_store_sync(tree->store, lsn);
    return err;
}
