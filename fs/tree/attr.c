/* Attributes: getattr, setattr, readlink. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "fs/tree/acl.h"
#include "fs/tree/name.h"
#include "fs/tree/truncate.h"
#include "fs/tree/xattr.h"

int pfs_tree_getattr(struct pfs_tree *tree, uint64_t ino, struct pfs_attr *attr)
{
    struct pfs_inode *inode;
    int err = pfs_inode_get(tree, ino, &inode);

    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    pfs_inode_attr(tree, inode, attr);
    pthread_mutex_unlock(&inode->mu);
    pfs_inode_put(tree, inode, 1);
    return 0;
}

static void set_times(struct pfs_ivalue *v, unsigned what, const struct pfs_attr *in, uint64_t now)
{
    if (what & PFS_SET_ATIME)
        v->atime_ns = in->atime_ns;
    if (what & PFS_SET_MTIME)
        v->mtime_ns = in->mtime_ns;
    if (what & PFS_SET_ATIME_NOW)
        v->atime_ns = now;
    if (what & PFS_SET_MTIME_NOW)
        v->mtime_ns = now;
    v->ctime_ns = (what & PFS_SET_CTIME) && !(what & ~(unsigned)PFS_SET_CTIME) ? in->ctime_ns : now;
}

static void set_owner(struct pfs_ivalue *v, unsigned what, const struct pfs_attr *in)
{
    if (what & PFS_SET_UID)
        v->uid = in->uid;
    if (what & PFS_SET_GID)
        v->gid = in->gid;
    if (what & PFS_SET_MODE)
        v->mode = (v->mode & S_IFMT) | (in->mode & 07777);
    if ((what & PFS_SET_KILL_PRIV) && !S_ISDIR(v->mode)) {
        v->mode &= ~(uint32_t)S_ISUID;
        if (v->mode & S_IXGRP)
            v->mode &= ~(uint32_t)S_ISGID;
    }
}

/* chmod of an inode with an access ACL: the entry that brings the ACL into line. *n_out is 1
 * then. */
static int follow_mode(struct pfs_tree *tree, const struct pfs_inode *inode, uint32_t mode,
                       unsigned char *bytes, struct pfs_entry *entry, unsigned *n_out)
{
    unsigned char acl[PFS_ACL_BYTES];
    size_t len;
    int err;

    *n_out = 0;
    if (inode->v.n_xattrs == 0)
        return 0;
    err = pfs_xattr_read(tree, inode->ino, PFS_ACL_ACCESS, acl, sizeof(acl), &len);
    if (err)
        return err == PFS_ENODATA ? 0 : err;
    err = pfs_acl_chmod(acl, len, mode);
    if (err)
        return err;
    return pfs_xattr_rewrite_entry(tree, inode->ino, PFS_ACL_ACCESS, acl, len, bytes, entry, n_out);
}

static int set_locked(struct pfs_tree *tree, struct pfs_inode *inode, unsigned what,
                      const struct pfs_attr *in)
{
    unsigned char acl_bytes[PFS_ACL_BYTES + 64];
    struct pfs_entry entries[2];
    struct pfs_change c;
    uint64_t now = pfs_wall_ns();
    unsigned n = 0;
    bool cut = false;
    pfs_lsn lsn;
    int err = 0;

    if (inode->gone)
        what &= ~(unsigned)PFS_SET_SIZE;
    pfs_change_begin(&c, inode);
    if (what & PFS_SET_SIZE) {
        if (S_ISDIR(inode->v.mode))
            return PFS_EISDIR;
        if (!S_ISREG(inode->v.mode))
            return PFS_EINVAL;
        if (in->size > PFS_FILE_MAX)
            return PFS_EFBIG;
        cut = in->size < inode->v.size;
        err = pfs_truncate_change(tree, &c, in->size);
        if (err)
            return err;
        c.v.mtime_ns = now;
    }
    set_owner(&c.v, what, in);
    set_times(&c.v, what, in, now);
    if (what & PFS_SET_MODE)
        err = follow_mode(tree, inode, c.v.mode, acl_bytes, &entries[0], &n);
    if (!err && inode->gone) { /* nothing of it is left to journal; who still has it sees this */
        lsn = inode->last_lsn;
    } else if (!err) {
        entries[n++] = pfs_change_entry(&c);
        err = pfs_store_commit(tree->store, what & PFS_SET_SIZE ? PFS_OP_TRUNCATE : PFS_OP_SETATTR,
                               entries, n, &lsn);
    }
    if (err) {
        pfs_change_drop(&c);
        return err;
    }
    pfs_change_apply(&c, lsn);
    if (cut)
        inode->epoch = ++tree->next_epoch;
    return 0;
}

int pfs_tree_setattr(struct pfs_tree *tree, uint64_t ino, unsigned what, const struct pfs_attr *in,
                     struct pfs_attr *attr)
{
    struct pfs_inode *inode;
    int err;

    if (tree->readonly)
        return PFS_EROFS;
    err = pfs_inode_get(tree, ino, &inode);
    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    if (what)
        err = set_locked(tree, inode, what, in);
    pfs_inode_attr(tree, inode, attr);
    pthread_mutex_unlock(&inode->mu);
    pfs_inode_put(tree, inode, 1);
    return err;
}

int pfs_tree_readlink(struct pfs_tree *tree, uint64_t ino, char *buf)
{
    struct pfs_inode *inode;
    int err = pfs_inode_get(tree, ino, &inode);

    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    if (S_ISLNK(inode->v.mode) && inode->v.target)
        strcpy(buf, inode->v.target); /* never over PFS_SYMLINK_MAX, see ivalue.h */
    else
        err = PFS_EINVAL;
    pthread_mutex_unlock(&inode->mu);
    if (!err)
        pfs_inode_accessed(tree, inode);
    pfs_inode_put(tree, inode, 1);
    return err;
}
