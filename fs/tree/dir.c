/* Reading directories. The position of an entry is its key's b: fixed as long as it exists. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "fs/tree/name.h"

static int emit_dot(struct pfs_inode *dir, uint64_t off, pfs_readdir_cb *cb, void *ctx)
{
    struct pfs_attr attr = {.mode = S_IFDIR};

    pfs_mutex_lock(&dir->mu);
    attr.ino = off == 0 ? dir->ino : dir->v.parent;
    pthread_mutex_unlock(&dir->mu);
    return cb(ctx, off == 0 ? "." : "..", &attr, off + 1);
}

/* A nonzero return of the callback, as opposed to our errors. */
#define STOPPED 1

static int emit_entry(struct pfs_tree *tree, const struct pfs_version *v, bool want_attr,
                      pfs_readdir_cb *cb, void *ctx)
{
    struct pfs_inode *inode = NULL;
    struct pfs_attr attr = {0};
    char name[PFS_NAME_MAX + 1];
    struct pfs_dentry d;
    int err = pfs_dentry_decode(v->data, v->len, &d);

    if (err || d.child == 0)
        return err;
    memcpy(name, d.name, d.name_len);
    name[d.name_len] = '\0';
    attr.ino = d.child;
    attr.mode = (uint32_t)d.type << 12;
    if (want_attr) {
        err = pfs_inode_get(tree, d.child, &inode);
        if (err == PFS_ENOENT)
            return 0; /* it went while we looked */
        if (err)
            return err;
        pfs_mutex_lock(&inode->mu);
        pfs_inode_attr(tree, inode, &attr);
        pthread_mutex_unlock(&inode->mu);
    }
    if (cb(ctx, name, &attr, v->key.b)) {
        if (inode)
            pfs_inode_put(tree, inode, 1);
        return STOPPED;
    }
    return 0;
}

int pfs_tree_readdir(struct pfs_tree *tree, struct pfs_handle *handle, uint64_t off, bool want_attr,
                     pfs_readdir_cb *cb, void *ctx)
{
    struct pfs_inode *dir = handle->inode;
    struct pfs_key from, to;
    struct pfs_version v;
    struct pfs_scan *scan;
    int err;

    pfs_inode_accessed(tree, dir);
    for (; off < 2; off++)
        if (emit_dot(dir, off, cb, ctx))
            return 0;
    if (off >= UINT64_MAX / 2)
        return 0;
    from = pfs_key(PFS_KEY_DENTRY, dir->ino, off + 1);
    to = pfs_key(PFS_KEY_DENTRY, dir->ino, UINT64_MAX);
    err = pfs_scan_begin(tree->store, &from, &to, PFS_LSN_MAX, &scan);
    if (err)
        return err;
    do {
        err = pfs_scan_next(scan, &v);
        if (!err)
            err = emit_entry(tree, &v, want_attr, cb, ctx);
    } while (!err);
    pfs_scan_end(scan);
    return err == PFS_ENOENT || err == STOPPED ? 0 : err;
}
