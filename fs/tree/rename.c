/* rename(2) in its three kinds, each one record. */
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "fs/tree/inode.h"
#include "fs/tree/name.h"
#include "fs/tree/remove.h"

/* The parties of a rename. dst is what stands at the new name, if anything does. */
struct renaming {
    struct pfs_tree *tree;
    const char *old_name, *new_name;
    struct pfs_inode *old_dir, *new_dir; /* may be the same */
    struct pfs_inode *src, *dst;         /* different; dst may be NULL */
    struct pfs_name_slot old_slot, new_slot;
    uint64_t now;

    struct pfs_change c_old, c_new, c_src, c_dst;
    struct pfs_removal removal;
    unsigned char old_bytes[PFS_DENTRY_MAX], new_bytes[PFS_DENTRY_MAX];
    struct pfs_entry entries[8];
    unsigned n;
};

static bool same_dir(const struct renaming *r)
{
    return r->old_dir == r->new_dir;
}

/* The change of the directory at either end: one and the same if both are one. */
static struct pfs_change *new_dir_change(struct renaming *r)
{
    return same_dir(r) ? &r->c_old : &r->c_new;
}

/* Is `inode` dir itself or above it? */
static int is_above(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_inode *dir,
                    bool *above)
{
    uint64_t at = dir->ino;

    *above = false;
    while (at != PFS_ROOT_INO) {
        struct pfs_inode *step;
        int err;

        if (at == inode->ino) {
            *above = true;
            return 0;
        }
        err = pfs_inode_get(tree, at, &step);
        if (err)
            return err;
        pfs_mutex_lock(&step->mu);
        at = step->v.parent;
        pthread_mutex_unlock(&step->mu);
        pfs_inode_put(tree, step, 1);
    }
    *above = inode->ino == PFS_ROOT_INO;
    return 0;
}

static int check_loops(struct renaming *r, bool exchange)
{
    bool above = false;
    int err = 0;

    if (S_ISDIR(r->src->v.mode))
        err = is_above(r->tree, r->src, r->new_dir, &above);
    if (!err && above)
        return PFS_ELOOP;
    if (!err && r->dst && S_ISDIR(r->dst->v.mode))
        err = is_above(r->tree, r->dst, r->old_dir, &above);
    if (!err && above) /* the target contains the source */
        return exchange ? PFS_ELOOP : PFS_ENOTEMPTY;
    return err;
}

static int check_replace(const struct renaming *r)
{
    bool src_dir = S_ISDIR(r->src->v.mode);

    if (!r->dst)
        return 0;
    if (src_dir != S_ISDIR(r->dst->v.mode))
        return src_dir ? PFS_ENOTDIR : PFS_EISDIR;
    return src_dir && r->dst->v.size > 0 ? PFS_ENOTEMPTY : 0;
}

static void begin(struct renaming *r)
{
    pfs_change_begin(&r->c_old, r->old_dir);
    r->c_old.v.mtime_ns = r->c_old.v.ctime_ns = r->now;
    if (!same_dir(r)) {
        pfs_change_begin(&r->c_new, r->new_dir);
        r->c_new.v.mtime_ns = r->c_new.v.ctime_ns = r->now;
    }
    pfs_change_begin(&r->c_src, r->src);
    r->c_src.v.ctime_ns = r->now;
}

/* A directory changes its parent. */
static void reparent(struct pfs_change *child, struct pfs_change *from, struct pfs_change *to)
{
    if (!S_ISDIR(child->v.mode))
        return;
    from->v.nlink--;
    to->v.nlink++;
    child->v.parent = to->inode->ino;
}

static int finish(struct renaming *r)
{
    pfs_lsn lsn;
    int err;

    r->entries[r->n++] = pfs_change_entry(&r->c_src);
    r->entries[r->n++] = pfs_change_entry(&r->c_old);
    if (!same_dir(r))
        r->entries[r->n++] = pfs_change_entry(&r->c_new);
    err = pfs_store_commit(r->tree->store, PFS_OP_RENAME, r->entries, r->n, &lsn);
    if (err)
        return err;
    pfs_change_apply(&r->c_src, lsn);
    pfs_change_apply(&r->c_old, lsn);
    if (!same_dir(r))
        pfs_change_apply(&r->c_new, lsn);
    return 0;
}

/* Move src to the new name; what stood there loses it. */
static int move(struct renaming *r)
{
    struct pfs_change *to = new_dir_change(r);
    int err;

    begin(r);
    err = pfs_slot_clear_entry(r->tree, &r->old_slot.key, r->old_bytes, &r->entries[r->n]);
    if (err)
        return err;
    if (pfs_slot_same_group(&r->old_slot.key,
                            &r->new_slot.key)) /* the new one may come behind it */
        pfs_slot_placeholder(&r->entries[r->n], r->old_bytes);
    r->n++;
    r->entries[r->n++] = pfs_dentry_put_entry(&r->new_slot.key, r->new_name, r->src->ino,
                                              r->src->v.mode, r->new_bytes);
    r->c_old.v.size--;
    to->v.size++;
    reparent(&r->c_src, &r->c_old, to);
    if (r->dst) {
        to->v.size--;
        to->v.nlink -= S_ISDIR(r->dst->v.mode) ? 1 : 0;
        pfs_removal_begin(&r->removal, r->dst, r->now, r->entries, &r->n);
    }
    err = finish(r);
    if (!err && r->dst)
        pfs_removal_apply(&r->removal, r->c_src.inode->last_lsn);
    return err;
}

static int exchange(struct renaming *r)
{
    struct pfs_change *to = new_dir_change(r);
    int err;

    begin(r);
    pfs_change_begin(&r->c_dst, r->dst);
    r->c_dst.v.ctime_ns = r->now;
    r->entries[r->n++] = pfs_dentry_put_entry(&r->old_slot.key, r->old_name, r->dst->ino,
                                              r->dst->v.mode, r->old_bytes);
    r->entries[r->n++] = pfs_dentry_put_entry(&r->new_slot.key, r->new_name, r->src->ino,
                                              r->src->v.mode, r->new_bytes);
    reparent(&r->c_src, &r->c_old, to);
    reparent(&r->c_dst, to, &r->c_old);
    r->entries[r->n++] = pfs_change_entry(&r->c_dst);
    err = finish(r);
    if (!err)
        pfs_change_apply(&r->c_dst, r->src->last_lsn);
    return err;
}

static int find_slots(struct renaming *r)
{
    int err = pfs_dentry_find(r->tree, r->old_dir->ino, r->old_name, PFS_LSN_MAX, &r->old_slot);

    if (err)
        return err;
    err = pfs_dentry_free_slot(r->tree, r->new_dir->ino, r->new_name, &r->new_slot);
    return err == PFS_EEXIST ? 0 : err;
}

static int lock_and_rename(struct renaming *r, unsigned flags)
{
    struct pfs_inode *all[4] = {r->old_dir, r->new_dir, r->src, r->dst};
    int err;

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            if (all[k] == all[i])
                all[i] = NULL;
    for (int i = 0; i < 4; i++)
        if (all[i])
            pfs_mutex_lock(&all[i]->mu);
    if (!S_ISDIR(r->new_dir->v.mode))
        err = PFS_ENOTDIR;
    else if (r->new_dir->v.nlink == 0)
        err = PFS_ENOENT;
    else if (flags & RENAME_EXCHANGE)
        err = exchange(r);
    else if ((err = check_replace(r)) == 0)
        err = move(r);
    for (int i = 0; i < 4; i++)
        if (all[i])
            pthread_mutex_unlock(&all[i]->mu);
    return err;
}

/* Holds names_mu. */
static int rename_locked(struct renaming *r, unsigned flags)
{
    int err = find_slots(r);

    if (err)
        return err;
    if (r->new_slot.child && (flags & RENAME_NOREPLACE))
        return PFS_EEXIST;
    if (!r->new_slot.child && (flags & RENAME_EXCHANGE))
        return PFS_ENOENT;
    if (r->new_slot.child == r->old_slot.child)
        return 0; /* two names of one file: POSIX wants nothing done */
    err = pfs_inode_get(r->tree, r->old_slot.child, &r->src);
    if (err)
        return err;
    if (r->new_slot.child)
        err = pfs_inode_get(r->tree, r->new_slot.child, &r->dst);
    if (!err)
        err = check_loops(r, (flags & RENAME_EXCHANGE) != 0);
    if (!err)
        err = lock_and_rename(r, flags);
    if (r->dst)
        pfs_inode_put(r->tree, r->dst, 1);
    pfs_inode_put(r->tree, r->src, 1);
    return err;
}

static int check_names(const char *a, const char *b)
{
    const char *names[2] = {a, b};

    for (int i = 0; i < 2; i++) {
        int err = pfs_name_check(names[i]);

        if (err)
            return err;
        if (strcmp(names[i], ".") == 0 || strcmp(names[i], "..") == 0)
            return PFS_EBUSY;
    }
    return 0;
}

int pfs_tree_rename(struct pfs_tree *tree, uint64_t parent, const char *name, uint64_t new_parent,
                    const char *new_name, unsigned flags)
{
    struct renaming *r;
    int err = tree->readonly ? PFS_EROFS : check_names(name, new_name);

    if (err)
        return err;
    if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return PFS_EINVAL;
    r = calloc(1, sizeof(*r)); /* some 20 KiB of encodings */
    if (!r)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    r->tree = tree;
    r->old_name = name;
    r->new_name = new_name;
    r->now = pfs_wall_ns();
    err = pfs_inode_get(tree, parent, &r->old_dir);
    if (!err)
        err = pfs_inode_get(tree, new_parent, &r->new_dir);
    if (!err) {
        pfs_mutex_lock(&tree->names_mu);
        err = rename_locked(r, flags);
        pthread_mutex_unlock(&tree->names_mu);
    }
    if (r->new_dir)
        pfs_inode_put(tree, r->new_dir, 1);
    if (r->old_dir)
        pfs_inode_put(tree, r->old_dir, 1);
    free(r);
    return err;
}
