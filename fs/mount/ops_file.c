/* Open files. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/stat.h>

#include "fs/mount/atime.h"
#include "fs/mount/node.h"
#include "fs/mount/ops.h"
#include "fs/mount/wire.h"

/* Younger than the headers of Debian 12. */
#define PFS_FOPEN_NOFLUSH                (1u << 5)
#define PFS_FOPEN_PARALLEL_DIRECT_WRITES (1u << 6)

/* suid and sgid must go before what follows. Free of cost for files that have neither. */
static int kill_priv(struct pfs_tree *tree, uint64_t ino)
{
    struct pfs_attr attr;
    int err = pfs_tree_getattr(tree, ino, &attr);

    if (!err && attr.mode & (S_ISUID | S_ISGID))
        err = pfs_tree_setattr(tree, ino, PFS_SET_KILL_PRIV, &attr, &attr);
    return err;
}

/* How the kernel is to treat a file that is being opened. */
static void set_caching(fuse_req_t req, struct fuse_file_info *fi, bool atime_due)
{
    const struct pfs_mount *m = pfs_mount_of(req);

    pfs_wire_add_open_flags(PFS_FOPEN_NOFLUSH);
    if (m->opt->cache == PFS_CACHE_DIRECT) {
        fi->direct_io = 1;
        pfs_wire_add_open_flags(PFS_FOPEN_PARALLEL_DIRECT_WRITES);
    } else {
        fi->keep_cache = !atime_due;
    }
}

/* Reads from the kernel's cache are not heard of here. Where the next one must be, because it moves
 * atime, the file's pages are dropped as it is opened: once after each change of a file, and never
 * for those who open it for writing too, as databases do. */
static bool read_moves_atime(fuse_req_t req, const struct pfs_node *node, int flags)
{
    const struct pfs_mount_options *opt = pfs_mount_of(req)->opt;
    struct pfs_attr attr;

    if (opt->readonly || (flags & O_ACCMODE) != O_RDONLY || flags & O_NOATIME)
        return false;
    return opt->atime != PFS_ATIME_NOATIME && pfs_tree_getattr(node->tree, node->ino, &attr) == 0 &&
           pfs_atime_due(opt->atime, &attr);
}

void pfs_op_open(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi)
{
    struct pfs_handle *handle;
    struct pfs_open *open;
    struct pfs_node node;
    int err = 0;

    if (!pfs_node_in_tree(req, nodeid, EISDIR, &node))
        return;
    open = pfs_open_new();
    if (!open) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    if (pfs_wire_request()->kill_priv && fi->flags & O_TRUNC)
        err = kill_priv(node.tree, node.ino);
    if (!err)
        err = pfs_tree_open_file(node.tree, node.ino, fi->flags, &handle);
    if (err) {
        pfs_open_free(open);
        pfs_reply_result(req, "open", err);
        return;
    }
    set_caching(req, fi, read_moves_atime(req, &node, fi->flags));
    pfs_handles_add(&pfs_mount_of(req)->handles, open, node.tree, handle);
    fi->fh = pfs_open_to_fh(open);
    fuse_reply_open(req, fi);
}

void pfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    const struct pfs_cred cred = {.uid = ctx->uid, .gid = ctx->gid, .umask = ctx->umask};
    struct pfs_mount *m = pfs_mount_of(req);
    struct pfs_handle *handle;
    struct fuse_entry_param e;
    struct pfs_open *open;
    struct pfs_attr attr;
    struct pfs_node dir;
    int err;

    if (!pfs_node_in_tree(req, parent, EPERM, &dir))
        return;
    open = pfs_open_new();
    if (!open) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    err = pfs_tree_create(dir.tree, dir.ino, name, mode, fi->flags, &cred, &attr, &handle);
    if (err) {
        pfs_open_free(open);
        pfs_reply_result(req, "create", err);
        return;
    }
    set_caching(req, fi, false);
    pfs_handles_add(&m->handles, open, dir.tree, handle);
    fi->fh = pfs_open_to_fh(open);
    pfs_attr_to_entry(m, dir.branch, &attr, &e);
    fuse_reply_create(req, &e, fi);
}

void pfs_op_release(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi)
{
    (void)nodeid;
    pfs_handles_close(&pfs_mount_of(req)->handles, pfs_open_of_fh(fi->fh));
    fuse_reply_err(req, 0);
}

void pfs_op_read(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                 struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);
    size_t room, len = 0;
    void *buf = pfs_wire_scratch(&room);
    int err;

    (void)nodeid;
    if (size > PFS_IO_MAX)
        size = PFS_IO_MAX;
    err = pfs_file_read(open->tree, open->handle, buf, size, (uint64_t)off, &len);
    if (err) {
        pfs_reply_result(req, "read", err);
    } else {
        assert(len <= size);
        fuse_reply_buf(req, buf, len);
    }
}

void pfs_op_write(fuse_req_t req, fuse_ino_t nodeid, const char *data, size_t size, off_t off,
                  struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);
    int err;

    (void)nodeid;
    err = pfs_file_write(open->tree, open->handle, data, size, (uint64_t)off,
                         pfs_wire_request()->kill_priv);
    if (err)
        pfs_reply_result(req, "write", err);
    else
        fuse_reply_write(req, size);
}

void pfs_op_fsync(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);

    (void)nodeid;
    pfs_reply_result(req, "fsync", pfs_file_sync(open->tree, open->handle, data_only != 0));
}

void pfs_op_fallocate(fuse_req_t req, fuse_ino_t nodeid, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);
    struct pfs_node node;
    int err = 0;

    if (!pfs_node_in_tree(req, nodeid, EISDIR, &node))
        return;
    /* The request doesn't say whether the caller may keep suid (CAP_FSETID): root may. */
    if (fuse_req_ctx(req)->uid != 0)
        err = kill_priv(node.tree, node.ino);
    if (!err)
        err = pfs_file_fallocate(open->tree, open->handle, mode, (uint64_t)off, (uint64_t)len);
    pfs_reply_result(req, "fallocate", err);
}

void pfs_op_lseek(fuse_req_t req, fuse_ino_t nodeid, off_t off, int whence,
                  struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);
    uint64_t at;
    int err;

    (void)nodeid;
    if (off < 0) {
        fuse_reply_err(req, ENXIO);
        return;
    }
    err = pfs_file_seek(open->tree, open->handle, (uint64_t)off, whence, &at);
    if (err)
        pfs_reply_result(req, "lseek", err);
    else
        fuse_reply_lseek(req, (off_t)at);
}

void pfs_op_ioctl(fuse_req_t req, fuse_ino_t nodeid, unsigned cmd, void *arg,
                  struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                  size_t out_size)
{
    (void)nodeid, (void)cmd, (void)arg, (void)fi, (void)flags;
    (void)in, (void)in_size, (void)out_size;
    fuse_reply_err(req, ENOTTY);
}
