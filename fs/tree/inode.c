#include "fs/tree/inode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "base/log.h"

#define RELATIME_STALE_NS ((int64_t)(24 * 3600 * PFS_NS_PER_S))

static unsigned bucket_of(uint64_t ino)
{
    return (unsigned)((ino * UINT64_C(0x9E3779B97F4A7C15)) >> 48) % PFS_ICACHE_BUCKETS;
}

static pthread_mutex_t *stripe_of(struct pfs_tree *tree, uint64_t ino)
{
    return &tree->stripes[bucket_of(ino) % PFS_ICACHE_STRIPES];
}

static struct pfs_inode *find(struct pfs_tree *tree, uint64_t ino)
{
    struct pfs_inode *inode = tree->buckets[bucket_of(ino)];

    while (inode && inode->ino != ino)
        inode = inode->next;
    return inode;
}

/* An empty inode with one reference, in the cache. Holds the stripe. */
static struct pfs_inode *enter(struct pfs_tree *tree, uint64_t ino)
{
    struct pfs_inode *inode = calloc(1, sizeof(*inode));

    if (!inode)
        return NULL;
    inode->ino = ino;
    inode->refs = 1;
    inode->epoch = ++tree->next_epoch;
    pthread_mutex_init(&inode->mu, NULL);
    inode->next = tree->buckets[bucket_of(ino)];
    tree->buckets[bucket_of(ino)] = inode;
    tree->n_inodes++;
    return inode;
}

static void destroy(struct pfs_tree *tree, struct pfs_inode *inode)
{
    pfs_ivalue_release(&inode->v);
    pthread_mutex_destroy(&inode->mu);
    free(inode);
    tree->n_inodes--;
}

/* Holds the stripe. */
static void leave(struct pfs_tree *tree, struct pfs_inode *inode)
{
    struct pfs_inode **at = &tree->buckets[bucket_of(inode->ino)];

    while (*at != inode)
        at = &(*at)->next;
    *at = inode->next;
}

static int load(struct pfs_tree *tree, struct pfs_inode *inode)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, inode->ino, 0);
    struct pfs_buf value;
    int err;

    pfs_buf_init(&value, PFS_RECORD_MAX);
    err = pfs_store_get(tree->store, &key, PFS_LSN_MAX, &value, &inode->last_lsn);
    if (!err)
        err = pfs_ivalue_decode(value.data, value.len, inode->last_lsn, &inode->v);
    inode->journaled_ns = inode->v.mtime_ns;
    if (inode->last_lsn < tree->unnoted)
        inode->last_lsn = tree->unnoted;
    pfs_buf_release(&value);
    if (err)
        return err == PFS_ENOENT ? err : pfs_context(err, "inode %" PRIu64, inode->ino);
    return 0;
}

int pfs_inode_get(struct pfs_tree *tree, uint64_t ino, struct pfs_inode **out)
{
    pthread_mutex_t *stripe = stripe_of(tree, ino);
    struct pfs_inode *inode;
    int err = 0;

    pthread_mutex_lock(stripe);
    inode = find(tree, ino);
    if (inode) {
        inode->refs++;
        pthread_mutex_unlock(stripe);
        pfs_mutex_lock(&inode->mu); /* whoever loads it holds this */
        err = inode->load_error;
        if (err && err != PFS_ENOENT)
            err = pfs_fail(err, "inode %" PRIu64 " could not be loaded", ino);
        pthread_mutex_unlock(&inode->mu);
    } else {
        inode = enter(tree, ino);
        if (!inode) {
            pthread_mutex_unlock(stripe);
            return pfs_fail(PFS_ENOMEM, "out of memory");
        }
        pfs_mutex_lock(&inode->mu);
        pthread_mutex_unlock(stripe);
        err = load(tree, inode);
        inode->load_error = err;
        pthread_mutex_unlock(&inode->mu);
    }
    if (err) {
        pfs_inode_put(tree, inode, 1);
        return err;
    }
    *out = inode;
    return 0;
}

struct pfs_inode *pfs_inode_new(struct pfs_tree *tree, uint64_t ino, struct pfs_ivalue *v,
                                pfs_lsn lsn)
{
    pthread_mutex_t *stripe = stripe_of(tree, ino);
    struct pfs_inode *inode;

    pthread_mutex_lock(stripe);
    assert(!find(tree, ino));
    inode = enter(tree, ino);
    if (inode) {
        inode->v = *v;
        inode->last_lsn = lsn;
        inode->journaled_ns = v->mtime_ns;
    }
    pthread_mutex_unlock(stripe);
    if (!inode)
        pfs_ivalue_release(v);
    return inode;
}

/* The inode's version in the store is older than its last record: whoever loads it again and wants
 * it synced must wait for that one, too. */
static void note_lsn(struct pfs_tree *tree, pfs_lsn lsn)
{
    pfs_lsn old = tree->unnoted;

    while (old < lsn && !atomic_compare_exchange_weak(&tree->unnoted, &old, lsn))
        ;
}

void pfs_inode_put(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t count)
{
    pthread_mutex_t *stripe = stripe_of(tree, inode->ino);
    bool last;

    pthread_mutex_lock(stripe);
    assert(inode->refs >= count);
    /* With one reference left nobody but us can make it dirty; a new reference can. */
    while (inode->refs == count && inode->dirty && !inode->gone) {
        pthread_mutex_unlock(stripe);
        pfs_mutex_lock(&inode->mu);
        if (pfs_inode_write_times(tree, inode)) {
            inode->dirty = false; /* logged where it failed; the times are lost, nothing else */
            note_lsn(tree, inode->last_lsn);
        }
        pthread_mutex_unlock(&inode->mu);
        pthread_mutex_lock(stripe);
    }
    inode->refs -= count;
    last = inode->refs == 0;
    if (last)
        leave(tree, inode);
    pthread_mutex_unlock(stripe);
    if (last)
        destroy(tree, inode);
}

int pfs_inode_write_times(struct pfs_tree *tree, struct pfs_inode *inode)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_entry entry = {
        .key = pfs_key(PFS_KEY_INODE, inode->ino, 0), .kind = PFS_KIND_VALUE, .data = bytes};
    pfs_lsn lsn;
    int err;

    if (!inode->dirty || inode->gone || tree->readonly)
        return 0;
    entry.len = pfs_ivalue_encode(&inode->v, bytes);
    err = pfs_store_commit(tree->store, PFS_OP_TIMES, &entry, 1, &lsn);
    if (err)
        return err;
    inode->dirty = false;
    inode->journaled_ns = inode->v.mtime_ns;
    inode->last_lsn = lsn;
    return 0;
}

/* Times are signed: there are files from before 1970. */
static bool atime_due(const struct pfs_tree *tree, const struct pfs_ivalue *v, uint64_t now)
{
    const int64_t atime = (int64_t)v->atime_ns;

    if (tree->config.atime == PFS_ATIME_STRICT)
        return true;
    return atime <= (int64_t)v->mtime_ns || atime <= (int64_t)v->ctime_ns ||
           (int64_t)now - atime >= RELATIME_STALE_NS;
}

void pfs_inode_accessed(struct pfs_tree *tree, struct pfs_inode *inode)
{
    uint64_t now;

    if (tree->readonly || tree->config.atime == PFS_ATIME_NOATIME)
        return;
    now = pfs_wall_ns();
    pfs_mutex_lock(&inode->mu);
    if (atime_due(tree, &inode->v, now)) {
        inode->v.atime_ns = now;
        inode->dirty = true;
    }
    pthread_mutex_unlock(&inode->mu);
}

int pfs_inode_write_all(struct pfs_tree *tree)
{
    int err = 0;

    for (unsigned i = 0; i < PFS_ICACHE_BUCKETS && !err; i++)
        for (struct pfs_inode *inode = tree->buckets[i]; inode && !err; inode = inode->next) {
            pfs_mutex_lock(&inode->mu);
            err = pfs_inode_write_times(tree, inode);
            pthread_mutex_unlock(&inode->mu);
        }
    return err;
}

void pfs_inode_drop_all(struct pfs_tree *tree)
{
    for (unsigned i = 0; i < PFS_ICACHE_BUCKETS; i++) {
        for (struct pfs_inode *inode = tree->buckets[i], *next; inode; inode = next) {
            next = inode->next;
            destroy(tree, inode);
        }
        tree->buckets[i] = NULL;
    }
}

void pfs_inode_attr(const struct pfs_tree *tree, const struct pfs_inode *inode,
                    struct pfs_attr *attr)
{
    const struct pfs_ivalue *v = &inode->v;

    *attr = (struct pfs_attr){.ino = inode->ino,
                              .mode = v->mode,
                              .nlink = v->nlink,
                              .uid = v->uid,
                              .gid = v->gid,
                              .rdev = v->rdev,
                              .size = v->size,
                              .blocks = v->pages * (tree->page_size / 512),
                              .atime_ns = v->atime_ns,
                              .mtime_ns = v->mtime_ns,
                              .ctime_ns = v->ctime_ns,
                              .btime_ns = v->btime_ns};
    if (S_ISDIR(v->mode)) {
        attr->size = (v->size + 2) * 32; /* as many bytes as a plain directory would need */
        attr->blocks = (attr->size + 511) / 512;
    } else if (S_ISLNK(v->mode)) {
        attr->blocks = 0;
    }
}

void pfs_change_begin(struct pfs_change *c, struct pfs_inode *inode)
{
    c->inode = inode;
    c->v = inode->v;
    c->own_marks = false;
}

struct pfs_entry pfs_change_entry(struct pfs_change *c)
{
    return (struct pfs_entry){.key = pfs_key(PFS_KEY_INODE, c->inode->ino, 0),
                              .kind = PFS_KIND_VALUE,
                              .len = pfs_ivalue_encode(&c->v, c->bytes),
                              .data = c->bytes};
}

void pfs_change_apply(struct pfs_change *c, pfs_lsn lsn)
{
    struct pfs_inode *inode = c->inode;

    if (c->own_marks) {
        free(inode->v.marks);
        for (unsigned i = 0; i < c->v.n_marks; i++)
            if (c->v.marks[i].lsn == 0)
                c->v.marks[i].lsn = lsn;
    }
    inode->v = c->v;
    inode->journaled_ns = c->v.mtime_ns;
    inode->last_lsn = lsn;
    inode->dirty = false;
}

void pfs_change_drop(struct pfs_change *c)
{
    if (c->own_marks)
        free(c->v.marks);
    c->own_marks = false;
}
