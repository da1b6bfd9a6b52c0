/* Names come into being: lookup, mknod, mkdir, symlink, link, create. */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "fs/tree/acl.h"
#include "fs/tree/handle.h"
#include "fs/tree/inode.h"
#include "fs/tree/name.h"

#define LINK_MAX_PFS (UINT32_MAX / 2)

static void attr_of(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_attr *attr)
{
    pfs_mutex_lock(&inode->mu);
    pfs_inode_attr(tree, inode, attr);
    pthread_mutex_unlock(&inode->mu);
}

/* An entry names an inode that isn't there. If the entry is gone by now, so be it; if it still
 * stands, something is damaged, and "no such file" would be a lie that the kernel keeps. */
static int missing_inode(struct pfs_tree *tree, struct pfs_inode *dir, const char *name,
                         uint64_t ino)
{
    struct pfs_name_slot slot;
    int err = pfs_dentry_find(tree, dir->ino, name, PFS_LSN_MAX, &slot);

    if (err || slot.child != ino)
        return err ? err : PFS_ENOENT;
    return pfs_fail(PFS_ECORRUPT,
                    "directory %" PRIu64 ": '%s' names inode %" PRIu64 ", which is missing",
                    dir->ino, name, ino);
}

static int lookup_ino(struct pfs_tree *tree, struct pfs_inode *dir, const char *name,
                      uint64_t *ino_out)
{
    struct pfs_name_slot slot;
    int err = 0;

    pfs_mutex_lock(&dir->mu);
    if (!S_ISDIR(dir->v.mode) && strcmp(name, ".") != 0) /* "." of a file: it is itself asked for */
        err = PFS_ENOTDIR;
    *ino_out = strcmp(name, ".") == 0 ? dir->ino : dir->v.parent;
    pthread_mutex_unlock(&dir->mu);
    if (err || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err;
    err = pfs_name_check(name);
    if (!err)
        err = pfs_dentry_find(tree, dir->ino, name, PFS_LSN_MAX, &slot);
    if (!err)
        *ino_out = slot.child;
    return err;
}

int pfs_tree_lookup(struct pfs_tree *tree, uint64_t parent, const char *name, struct pfs_attr *attr)
{
    struct pfs_inode *dir, *inode;
    uint64_t ino;
    int err = pfs_inode_get(tree, parent, &dir);

    if (err)
        return err;
    err = lookup_ino(tree, dir, name, &ino);
    if (!err) {
        err = pfs_inode_get(tree, ino, &inode);
        if (err == PFS_ENOENT && strcmp(name, "..") != 0)
            err = missing_inode(tree, dir, name, ino);
    }
    if (!err)
        attr_of(tree, inode, attr);
    pfs_inode_put(tree, dir, 1);
    return err;
}

void pfs_tree_forget(struct pfs_tree *tree, uint64_t ino, uint64_t count)
{
    struct pfs_inode *inode;

    if (pfs_inode_get(tree, ino, &inode) == 0)
        pfs_inode_put(tree, inode, count + 1);
}

/* --- a new inode under a new name ------------------------------------------------------------- */

struct birth {
    struct pfs_inode *dir;
    const char *name;
    uint32_t mode;
    uint32_t rdev;
    const char *target;
    const struct pfs_cred *cred;
    enum pfs_op op;
    struct pfs_name_slot slot; /* of the name, when it turns out to exist */
};

/* The parent as it is after an entry came or went. */
static void touch_dir(struct pfs_change *c, int entries, int links, uint64_t now)
{
    c->v.size += (uint64_t)entries;
    c->v.nlink += (uint32_t)links;
    c->v.mtime_ns = c->v.ctime_ns = now;
}

static int check_dir(const struct pfs_inode *dir)
{
    if (!S_ISDIR(dir->v.mode))
        return PFS_ENOTDIR;
    return dir->v.nlink == 0 || dir->gone ? PFS_ENOENT : 0;
}

static void init_value(const struct birth *b, struct pfs_ivalue *v, uint64_t now)
{
    const struct pfs_ivalue *dir = &b->dir->v;

    *v = (struct pfs_ivalue){.mode = b->mode,
                             .nlink = S_ISDIR(b->mode) ? 2 : 1,
                             .uid = b->cred->uid,
                             .gid = b->cred->gid,
                             .rdev = b->rdev,
                             .atime_ns = now,
                             .mtime_ns = now,
                             .ctime_ns = now,
                             .btime_ns = now};
    if (dir->mode & S_ISGID) {
        v->gid = dir->gid;
        if (S_ISDIR(b->mode))
            v->mode |= S_ISGID;
    }
    if (S_ISDIR(b->mode))
        v->parent = b->dir->ino;
}

/* One record: inode, inherited ACLs, entry, parent. Holds names_mu and the parent's mu. */
static int commit_birth(struct pfs_tree *tree, struct birth *b, struct pfs_ivalue *v, uint64_t ino,
                        pfs_lsn *lsn)
{
    unsigned char inode_bytes[PFS_IVALUE_MAX], dentry_bytes[PFS_DENTRY_MAX];
    struct pfs_entry entries[3 + PFS_ACL_ENTRIES];
    struct pfs_acl_inherited acls;
    struct pfs_change dir;
    unsigned n = 0;
    int err = pfs_acl_inherit(tree, b->dir, ino, b->cred->umask, v, &acls);

    if (err) {
        pfs_acl_inherited_release(&acls);
        return err;
    }
    pfs_change_begin(&dir, b->dir);
    touch_dir(&dir, 1, S_ISDIR(v->mode) ? 1 : 0, v->ctime_ns);
    entries[n++] = (struct pfs_entry){.key = pfs_key(PFS_KEY_INODE, ino, 0),
                                      .kind = PFS_KIND_VALUE,
                                      .len = pfs_ivalue_encode(v, inode_bytes),
                                      .data = inode_bytes};
    entries[n++] = pfs_dentry_put_entry(&b->slot.key, b->name, ino, v->mode, dentry_bytes);
    entries[n++] = pfs_change_entry(&dir);
    for (unsigned i = 0; i < acls.n; i++)
        entries[n++] = acls.entries[i];
    err = pfs_store_commit(tree->store, b->op, entries, n, lsn);
    if (!err)
        pfs_change_apply(&dir, *lsn);
    else
        pfs_change_drop(&dir);
    pfs_acl_inherited_release(&acls);
    return err;
}

/* Holds names_mu. *out has one reference. */
static int give_birth_locked(struct pfs_tree *tree, struct birth *b, struct pfs_inode **out)
{
    struct pfs_ivalue v;
    uint64_t ino;
    pfs_lsn lsn;
    int err;

    pfs_mutex_lock(&b->dir->mu);
    err = check_dir(b->dir);
    if (!err)
        err = pfs_dentry_free_slot(tree, b->dir->ino, b->name, &b->slot);
    if (!err && S_ISDIR(b->mode) && b->dir->v.nlink >= LINK_MAX_PFS)
        err = PFS_EMLINK;
    if (!err) {
        init_value(b, &v, pfs_wall_ns());
        if (b->target) {
            v.target = strdup(b->target);
            v.size = strlen(b->target);
            if (!v.target)
                err = pfs_fail(PFS_ENOMEM, "out of memory");
        }
    }
    if (!err) {
        ino = pfs_store_new_ino(tree->store);
        err = commit_birth(tree, b, &v, ino, &lsn);
        if (err) {
            pfs_ivalue_release(&v);
        } else {
            *out = pfs_inode_new(tree, ino, &v, lsn);
            if (!*out)
                err = pfs_fail(PFS_ENOMEM, "out of memory");
        }
    }
    pthread_mutex_unlock(&b->dir->mu);
    return err;
}

static int give_birth(struct pfs_tree *tree, uint64_t parent, struct birth *b,
                      struct pfs_inode **out)
{
    int err;

    if (tree->readonly)
        return PFS_EROFS;
    err = pfs_name_check(b->name);
    if (err)
        return err;
    err = pfs_inode_get(tree, parent, &b->dir);
    if (err)
        return err;
    pfs_mutex_lock(&tree->names_mu);
    err = give_birth_locked(tree, b, out);
    pthread_mutex_unlock(&tree->names_mu);
    pfs_inode_put(tree, b->dir, 1);
    return err;
}

static int simple_birth(struct pfs_tree *tree, uint64_t parent, struct birth *b,
                        struct pfs_attr *attr)
{
    struct pfs_inode *inode;
    int err = give_birth(tree, parent, b, &inode);

    if (!err)
        attr_of(tree, inode, attr);
    return err;
}

int pfs_tree_mknod(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                   uint32_t rdev, const struct pfs_cred *cred, struct pfs_attr *attr)
{
    struct birth b = {.name = name, .mode = mode, .cred = cred, .op = PFS_OP_MKNOD};

    switch (mode & S_IFMT) {
    case 0:
        b.mode |= S_IFREG;
        break;
    case S_IFCHR:
    case S_IFBLK:
        b.rdev = rdev;
        break;
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    default:
        return PFS_EINVAL;
    }
    return simple_birth(tree, parent, &b, attr);
}

int pfs_tree_mkdir(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                   const struct pfs_cred *cred, struct pfs_attr *attr)
{
    struct birth b = {
        .name = name, .mode = S_IFDIR | (mode & 07777), .cred = cred, .op = PFS_OP_MKDIR};

    return simple_birth(tree, parent, &b, attr);
}

int pfs_tree_symlink(struct pfs_tree *tree, uint64_t parent, const char *name, const char *target,
                     const struct pfs_cred *cred, struct pfs_attr *attr)
{
    struct pfs_cred plain = {.uid = cred->uid, .gid = cred->gid};
    struct birth b = {.name = name,
                      .mode = S_IFLNK | 0777,
                      .target = target,
                      .cred = &plain,
                      .op = PFS_OP_SYMLINK};

    if (strlen(target) > PFS_SYMLINK_MAX)
        return PFS_ENAMETOOLONG;
    if (!*target)
        return PFS_ENOENT;
    return simple_birth(tree, parent, &b, attr);
}

int pfs_tree_create(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                    int flags, const struct pfs_cred *cred, struct pfs_attr *attr,
                    struct pfs_handle **out)
{
    struct birth b = {
        .name = name, .mode = S_IFREG | (mode & 07777), .cred = cred, .op = PFS_OP_CREATE};
    struct pfs_inode *inode;
    int err = give_birth(tree, parent, &b, &inode);

    if (err == PFS_EEXIST && !(flags & O_EXCL))
        err = pfs_inode_get(tree, b.slot.child, &inode);
    else
        flags &= ~O_TRUNC;
    if (err)
        return err;
    err = pfs_handle_open(tree, inode, flags, out);
    if (err)
        pfs_inode_put(tree, inode, 1);
    else
        attr_of(tree, inode, attr);
    return err;
}

/* --- another name for an inode ---------------------------------------------------------------- */

/* Holds names_mu. */
static int link_locked(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_inode *dir,
                       const char *name)
{
    unsigned char dentry_bytes[PFS_DENTRY_MAX];
    struct pfs_name_slot slot;
    struct pfs_change ci, cd;
    uint64_t now = pfs_wall_ns();
    pfs_lsn lsn;
    int err;

    err = check_dir(dir);
    if (!err && S_ISDIR(inode->v.mode))
        err = PFS_EPERM;
    if (!err && inode->v.nlink == 0)
        err = PFS_ENOENT;
    if (!err && inode->v.nlink >= LINK_MAX_PFS)
        err = PFS_EMLINK;
    if (!err)
        err = pfs_dentry_free_slot(tree, dir->ino, name, &slot);
    if (err)
        return err;
    pfs_change_begin(&ci, inode);
    pfs_change_begin(&cd, dir);
    ci.v.nlink++;
    ci.v.ctime_ns = now;
    touch_dir(&cd, 1, 0, now);
    {
        struct pfs_entry entries[3] = {
            pfs_change_entry(&ci),
            pfs_dentry_put_entry(&slot.key, name, inode->ino, inode->v.mode, dentry_bytes),
            pfs_change_entry(&cd),
        };

        err = pfs_store_commit(tree->store, PFS_OP_LINK, entries, 3, &lsn);
    }
    if (!err) {
        pfs_change_apply(&ci, lsn);
        pfs_change_apply(&cd, lsn);
    }
    return err;
}

int pfs_tree_link(struct pfs_tree *tree, uint64_t ino, uint64_t parent, const char *name,
                  struct pfs_attr *attr)
{
    struct pfs_inode *inode, *dir;
    int err = tree->readonly ? PFS_EROFS : pfs_name_check(name);

    if (err)
        return err;
    err = pfs_inode_get(tree, ino, &inode);
    if (err)
        return err;
    err = pfs_inode_get(tree, parent, &dir);
    if (!err) {
        pfs_mutex_lock(&tree->names_mu);
        pfs_mutex_lock(&dir->mu);
        if (inode != dir)
            pfs_mutex_lock(&inode->mu);
        err = link_locked(tree, inode, dir, name);
        if (inode != dir)
            pthread_mutex_unlock(&inode->mu);
        pthread_mutex_unlock(&dir->mu);
        pthread_mutex_unlock(&tree->names_mu);
        pfs_inode_put(tree, dir, 1);
    }
    if (err)
        pfs_inode_put(tree, inode, 1);
    else
        attr_of(tree, inode, attr); /* the reference is the caller's */
    return err;
}
