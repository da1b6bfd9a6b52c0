/* Attributes of files, ordinary and extended, and of the filesystem. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "fs/mount/node.h"
#include "fs/mount/ops.h"
#include "fs/mount/views.h"
#include "fs/mount/wire.h"

void pfs_op_getattr(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi)
{
    struct pfs_mount *m = pfs_mount_of(req);
    struct pfs_attr attr;
    struct pfs_node node;
    struct stat st;
    int err = pfs_node_find(m, nodeid, &node);

    (void)fi;
    if (!err && !node.tree) {
        pfs_view_stat(m, (enum pfs_view)node.ino, &st);
        fuse_reply_attr(req, &st, PFS_CACHE_FOREVER_S);
        return;
    }
    if (!err)
        err = pfs_tree_getattr(node.tree, node.ino, &attr);
    if (err)
        pfs_reply_result(req, "getattr", err);
    else
        pfs_reply_attr(req, node.branch, &attr);
}

/* libfuse's bits, some of which are the kernel's, to ours. "Now" is the kernel's way of saying
 * utimensat(UTIME_NOW): the time is then the tree's, in order with its other times. */
static unsigned set_of(int to_set)
{
    unsigned what = 0;

    if (to_set & FUSE_SET_ATTR_MODE)
        what |= PFS_SET_MODE;
    if (to_set & FUSE_SET_ATTR_UID)
        what |= PFS_SET_UID;
    if (to_set & FUSE_SET_ATTR_GID)
        what |= PFS_SET_GID;
    if (to_set & FUSE_SET_ATTR_SIZE)
        what |= PFS_SET_SIZE;
    if (to_set & FUSE_SET_ATTR_ATIME_NOW)
        what |= PFS_SET_ATIME_NOW;
    else if (to_set & FUSE_SET_ATTR_ATIME)
        what |= PFS_SET_ATIME;
    if (to_set & FUSE_SET_ATTR_MTIME_NOW)
        what |= PFS_SET_MTIME_NOW;
    else if (to_set & FUSE_SET_ATTR_MTIME)
        what |= PFS_SET_MTIME;
    if (to_set & FUSE_SET_ATTR_CTIME)
        what |= PFS_SET_CTIME;
    return what;
}

void pfs_op_setattr(fuse_req_t req, fuse_ino_t nodeid, struct stat *st, int to_set,
                    struct fuse_file_info *fi)
{
    const struct pfs_attr in = {
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .size = (uint64_t)st->st_size,
        .atime_ns = pfs_ns_of_timespec(&st->st_atim),
        .mtime_ns = pfs_ns_of_timespec(&st->st_mtim),
        .ctime_ns = pfs_ns_of_timespec(&st->st_ctim),
    };
    unsigned what = set_of(to_set);
    struct pfs_attr attr;
    struct pfs_node node;
    int err;

    (void)fi;
    if (!pfs_node_in_tree(req, nodeid, EPERM, &node))
        return;
    if (pfs_wire_request()->kill_priv)
        what |= PFS_SET_KILL_PRIV;
    if (what)
        err = pfs_tree_setattr(node.tree, node.ino, what, &in, &attr);
    else
        err = pfs_tree_getattr(node.tree, node.ino, &attr);
    if (err)
        pfs_reply_result(req, "setattr", err);
    else
        pfs_reply_attr(req, node.branch, &attr);
}

void pfs_op_readlink(fuse_req_t req, fuse_ino_t nodeid)
{
    struct pfs_node node;
    size_t size;
    char *target = pfs_wire_scratch(&size);
    int err;

    if (!pfs_node_in_tree(req, nodeid, EINVAL, &node))
        return;
    err = pfs_tree_readlink(node.tree, node.ino, target);
    if (err)
        pfs_reply_result(req, "readlink", err);
    else
        fuse_reply_readlink(req, target);
}

/* True if the request is from umount(8); also if nobody can tell (another pid namespace). */
static bool is_umount(fuse_req_t req)
{
    const pid_t pid = fuse_req_ctx(req)->pid;
    char path[64], comm[32] = "";
    FILE *f;

    if (pid == 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    if (!fgets(comm, sizeof(comm), f))
        comm[0] = '\0';
    fclose(f);
    return strcmp(comm, "umount\n") == 0;
}

/* The kernel neither tells a FUSE filesystem to sync at an unmount nor waits for its process. But
 * umount(8) asks for the filesystem's type first, by statfs: the one moment at which everything can
 * be put on disk before it returns. */
static void sync_before_umount(fuse_req_t req)
{
    struct pfs_mount *m = pfs_mount_of(req);
    struct pfs_store *store;

    if (m->opt->readonly || !is_umount(req))
        return;
    for (unsigned i = 0; i < m->branches.n; i++) {
        store = pfs_branches_store(&m->branches, m->branches.all[i].ref->id);
        if (store && pfs_store_sync(store, pfs_store_head(store)) != 0)
            pfs_log_error("mount", "branch %s: the sync before an unmount failed: %s",
                          m->branches.all[i].ref->name, pfs_err_message());
    }
}

void pfs_op_statfs(fuse_req_t req, fuse_ino_t nodeid)
{
    struct pfs_mount *m = pfs_mount_of(req);
    const uint64_t unit = m->page_size;
    struct pfs_store_stats stats;
    struct pfs_store *store;
    struct pfs_node node;
    struct statvfs sv = {.f_bsize = unit, .f_frsize = unit, .f_namemax = PFS_NAME_MAX};

    sync_before_umount(req);
    if (pfs_node_find(m, nodeid, &node) || !node.tree)
        node.branch = m->default_branch;
    store = pfs_branches_store(&m->branches, node.branch);
    if (store) {
        pfs_store_stats(store, &stats);
        sv.f_blocks = stats.disk_total / unit;
        sv.f_bfree = sv.f_bavail = stats.disk_free / unit;
        /* Inodes come from the same space; a page each is a fair guess of what one costs. */
        sv.f_ffree = sv.f_favail = sv.f_bfree;
        sv.f_files = sv.f_ffree + stats.next_ino;
    }
    fuse_reply_statfs(req, &sv);
}

/* --- extended attributes --------------------------------------------------------------------- */

/* With noxattr each kind of request comes once: the kernel takes ENOSYS for "never ask again". The
 * one that matters is getxattr(security.capability), which it otherwise sends before a write
 * whenever it has asked for the file's attributes since the last. */
static bool refuse_xattr(fuse_req_t req)
{
    const bool refuse = pfs_mount_of(req)->opt->no_xattr;

    if (refuse)
        fuse_reply_err(req, ENOSYS);
    return refuse;
}

/* What libfuse says of name, value and size is wrong if SETXATTR_EXT was negotiated. */
void pfs_op_setxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, const char *value,
                     size_t size, int flags)
{
    const struct pfs_wire_request *r = pfs_wire_request();
    struct pfs_node node;

    (void)name, (void)value, (void)size, (void)flags;
    if (refuse_xattr(req))
        return;
    if (!r->xattr_name)
        fuse_reply_err(req, EINVAL);
    else if (pfs_node_in_tree(req, nodeid, EPERM, &node))
        pfs_reply_result(req, "setxattr",
                         pfs_tree_setxattr(node.tree, node.ino, r->xattr_name, r->xattr_value,
                                           r->xattr_size, (int)r->xattr_flags, r->kill_sgid));
}

/* Answer a request for a value or a list: its length, or itself. */
static void reply_xattr(fuse_req_t req, const char *op, int err, size_t size, const void *data,
                        size_t len)
{
    if (err)
        pfs_reply_result(req, op, err);
    else if (size == 0)
        fuse_reply_xattr(req, len);
    else
        fuse_reply_buf(req, data, len);
}

void pfs_op_getxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, size_t size)
{
    struct pfs_node node;
    size_t room, len = 0;
    void *value = pfs_wire_scratch(&room);
    int err;

    if (refuse_xattr(req) || !pfs_node_in_tree(req, nodeid, ENODATA, &node))
        return;
    err = pfs_tree_getxattr(node.tree, node.ino, name, value, size < room ? size : room, &len);
    reply_xattr(req, "getxattr", err, size, value, len);
}

void pfs_op_listxattr(fuse_req_t req, fuse_ino_t nodeid, size_t size)
{
    struct pfs_node node;
    size_t room, len = 0;
    void *list = pfs_wire_scratch(&room);
    int err;

    if (refuse_xattr(req))
        return;
    err = pfs_node_find(pfs_mount_of(req), nodeid, &node);
    if (!err && node.tree)
        err = pfs_tree_listxattr(node.tree, node.ino, list, size < room ? size : room, &len);
    reply_xattr(req, "listxattr", err, size, list, len);
}

void pfs_op_removexattr(fuse_req_t req, fuse_ino_t nodeid, const char *name)
{
    struct pfs_node node;

    if (!refuse_xattr(req) && pfs_node_in_tree(req, nodeid, EPERM, &node))
        pfs_reply_result(req, "removexattr", pfs_tree_removexattr(node.tree, node.ino, name));
}
