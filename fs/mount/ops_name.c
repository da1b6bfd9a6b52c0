/* Names: finding, making, moving and removing them. */
#include <errno.h>
#include <string.h>

#include "fs/mount/node.h"
#include "fs/mount/ops.h"
#include "fs/mount/views.h"

static struct pfs_cred cred_of(fuse_req_t req)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);

    return (struct pfs_cred){.uid = ctx->uid, .gid = ctx->gid, .umask = ctx->umask};
}

/* End a request that found or made an inode. */
static void reply_inode(fuse_req_t req, const char *op, int err, uint32_t branch,
                        const struct pfs_attr *attr)
{
    if (err)
        pfs_reply_result(req, op, err);
    else
        pfs_reply_entry(req, branch, attr);
}

/* --- finding --------------------------------------------------------------------------------- */

static void reply_view(fuse_req_t req, enum pfs_view view, const char *name)
{
    struct fuse_entry_param e;
    int err = pfs_view_lookup(pfs_mount_of(req), view, name, &e);

    if (err == PFS_ENOENT)
        pfs_reply_no_entry(req);
    else if (err)
        pfs_reply_result(req, "lookup of a branch", err);
    else
        fuse_reply_entry(req, &e);
}

void pfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct pfs_mount *m = pfs_mount_of(req);
    struct pfs_attr attr;
    struct pfs_node dir;
    int err = pfs_node_find(m, parent, &dir);

    if (err)
        fuse_reply_err(req, err == PFS_ENOENT ? ESTALE : pfs_err_errno(err));
    else if (!dir.tree)
        reply_view(req, (enum pfs_view)dir.ino, name);
    else if (dir.ino == PFS_ROOT_INO && !m->root_branch && strcmp(name, "..") == 0)
        reply_view(req, PFS_VIEW_BRANCHES, ".");
    else if ((err = pfs_tree_lookup(dir.tree, dir.ino, name, &attr)) == PFS_ENOENT)
        pfs_reply_no_entry(req);
    else
        reply_inode(req, "lookup", err, dir.branch, &attr);
}

static void forget(struct pfs_mount *m, uint64_t nodeid, uint64_t nlookup)
{
    struct pfs_tree *tree;

    /* The kernel never forgets its root, and views are not counted. */
    if (nodeid >> PFS_INO_BITS == 0)
        return;
    tree = pfs_branches_peek(&m->branches, (uint32_t)(nodeid >> PFS_INO_BITS));
    if (tree)
        pfs_tree_forget(tree, nodeid & ((UINT64_C(1) << PFS_INO_BITS) - 1), nlookup);
}

void pfs_op_forget(fuse_req_t req, fuse_ino_t nodeid, uint64_t nlookup)
{
    forget(pfs_mount_of(req), nodeid, nlookup);
    fuse_reply_none(req);
}

void pfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        forget(pfs_mount_of(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

/* --- making ---------------------------------------------------------------------------------- */

void pfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    const struct pfs_cred cred = cred_of(req);
    struct pfs_attr attr;
    struct pfs_node dir;
    int err;

    if (!pfs_node_in_tree(req, parent, EPERM, &dir))
        return;
    err = pfs_tree_mknod(dir.tree, dir.ino, name, mode, (uint32_t)rdev, &cred, &attr);
    reply_inode(req, "mknod", err, dir.branch, &attr);
}

void pfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    const struct pfs_cred cred = cred_of(req);
    struct pfs_attr attr;
    struct pfs_node dir;
    int err;

    if (!pfs_node_in_tree(req, parent, EPERM, &dir))
        return;
    err = pfs_tree_mkdir(dir.tree, dir.ino, name, mode, &cred, &attr);
    reply_inode(req, "mkdir", err, dir.branch, &attr);
}

void pfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    const struct pfs_cred cred = cred_of(req);
    struct pfs_attr attr;
    struct pfs_node dir;
    int err;

    if (!pfs_node_in_tree(req, parent, EPERM, &dir))
        return;
    err = pfs_tree_symlink(dir.tree, dir.ino, name, target, &cred, &attr);
    reply_inode(req, "symlink", err, dir.branch, &attr);
}

/* Two nodes of one branch, or the request is answered: branches are filesystems of their own. */
static bool find_both(fuse_req_t req, uint64_t x, uint64_t y, struct pfs_node *nx,
                      struct pfs_node *ny)
{
    if (!pfs_node_in_tree(req, x, EPERM, nx) || !pfs_node_in_tree(req, y, EPERM, ny))
        return false;
    if (nx->branch == ny->branch)
        return true;
    fuse_reply_err(req, EXDEV);
    return false;
}

void pfs_op_link(fuse_req_t req, fuse_ino_t nodeid, fuse_ino_t new_parent, const char *name)
{
    struct pfs_node node, dir;
    struct pfs_attr attr;
    int err;

    if (!find_both(req, nodeid, new_parent, &node, &dir))
        return;
    err = pfs_tree_link(dir.tree, node.ino, dir.ino, name, &attr);
    reply_inode(req, "link", err, dir.branch, &attr);
}

/* --- moving and removing --------------------------------------------------------------------- */

void pfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct pfs_node dir;

    if (pfs_node_in_tree(req, parent, EPERM, &dir))
        pfs_reply_result(req, "unlink", pfs_tree_unlink(dir.tree, dir.ino, name));
}

void pfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct pfs_node dir;

    if (pfs_node_in_tree(req, parent, EPERM, &dir))
        pfs_reply_result(req, "rmdir", pfs_tree_rmdir(dir.tree, dir.ino, name));
}

void pfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags)
{
    struct pfs_node from, to;

    if (find_both(req, parent, new_parent, &from, &to))
        pfs_reply_result(req, "rename",
                         pfs_tree_rename(from.tree, from.ino, name, to.ino, new_name, flags));
}
