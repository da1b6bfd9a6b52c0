/* Names go: unlink, rmdir. */
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "fs/tree/inode.h"
#include "fs/tree/name.h"
#include "fs/tree/remove.h"

void pfs_removal_begin(struct pfs_removal *r, struct pfs_inode *inode, uint64_t now,
                       struct pfs_entry *entries, unsigned *n)
{
    bool dir = S_ISDIR(inode->v.mode);

    pfs_change_begin(&r->change, inode);
    r->change.v.ctime_ns = now;
    r->change.v.nlink = dir ? 0 : r->change.v.nlink - 1;
    r->last = r->change.v.nlink == 0;
    r->gone = r->last && inode->opens == 0;
    if (r->gone) {
        entries[(*n)++] = (struct pfs_entry){.key = pfs_key(PFS_KEY_INODE, inode->ino, 0),
                                             .kind = PFS_KIND_DELETE};
        return;
    }
    entries[(*n)++] = pfs_change_entry(&r->change);
    if (r->last)
        entries[(*n)++] = (struct pfs_entry){.key = pfs_key(PFS_KEY_ORPHAN, inode->ino, 0),
                                             .kind = PFS_KIND_VALUE};
}

void pfs_removal_apply(struct pfs_removal *r, pfs_lsn lsn)
{
    pfs_change_apply(&r->change, lsn);
    r->change.inode->gone = r->gone;
}

/* Holds names_mu, and the mu of both. */
static int remove_locked(struct pfs_tree *tree, struct pfs_inode *dir, struct pfs_inode *inode,
                         const struct pfs_key *slot, bool want_dir)
{
    unsigned char bytes[PFS_DENTRY_MAX];
    struct pfs_entry entries[4];
    struct pfs_removal removal;
    struct pfs_change change;
    uint64_t now = pfs_wall_ns();
    unsigned n = 0;
    pfs_lsn lsn;
    int err;

    if (S_ISDIR(inode->v.mode) != want_dir)
        return want_dir ? PFS_ENOTDIR : PFS_EISDIR;
    if (want_dir && inode->v.size > 0)
        return PFS_ENOTEMPTY;
    err = pfs_slot_clear_entry(tree, slot, bytes, &entries[n]);
    if (err)
        return err;
    n++;
    pfs_removal_begin(&removal, inode, now, entries, &n);
    pfs_change_begin(&change, dir);
    change.v.size--;
    change.v.nlink -= want_dir;
    change.v.mtime_ns = change.v.ctime_ns = now;
    entries[n++] = pfs_change_entry(&change);
    err = pfs_store_commit(tree->store, want_dir ? PFS_OP_RMDIR : PFS_OP_UNLINK, entries, n, &lsn);
    if (err)
        return err;
    pfs_change_apply(&change, lsn);
    pfs_removal_apply(&removal, lsn);
    return 0;
}

/* Holds names_mu. */
static int remove_named(struct pfs_tree *tree, struct pfs_inode *dir, const char *name,
                        bool want_dir)
{
    struct pfs_name_slot slot;
    struct pfs_inode *inode;
    int err;

    err = pfs_dentry_find(tree, dir->ino, name, PFS_LSN_MAX, &slot);
    if (!err)
        err = pfs_inode_get(tree, slot.child, &inode);
    if (err)
        return err;
    pfs_mutex_lock(&dir->mu);
    pfs_mutex_lock(&inode->mu);
    err = remove_locked(tree, dir, inode, &slot.key, want_dir);
    pthread_mutex_unlock(&inode->mu);
    pthread_mutex_unlock(&dir->mu);
    pfs_inode_put(tree, inode, 1);
    return err;
}

static int remove_name(struct pfs_tree *tree, uint64_t parent, const char *name, bool want_dir)
{
    struct pfs_inode *dir;
    int err;

    if (tree->readonly)
        return PFS_EROFS;
    if (strcmp(name, ".") == 0)
        return PFS_EINVAL;
    if (strcmp(name, "..") == 0)
        return want_dir ? PFS_ENOTEMPTY : PFS_EISDIR;
    err = pfs_name_check(name);
    if (err)
        return err;
    err = pfs_inode_get(tree, parent, &dir);
    if (err)
        return err;
    pfs_mutex_lock(&tree->names_mu);
    err = remove_named(tree, dir, name, want_dir);
    pthread_mutex_unlock(&tree->names_mu);
    pfs_inode_put(tree, dir, 1);
    return err;
}

int pfs_tree_unlink(struct pfs_tree *tree, uint64_t parent, const char *name)
{
    return remove_name(tree, parent, name, false);
}

int pfs_tree_rmdir(struct pfs_tree *tree, uint64_t parent, const char *name)
{
    return remove_name(tree, parent, name, true);
}
