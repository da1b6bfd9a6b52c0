/* Open directories. Of a view nothing is open: its handle is 0. */
#include <string.h>

#include "fs/mount/atime.h"
#include "fs/mount/node.h"
#include "fs/mount/ops.h"
#include "fs/mount/views.h"
#include "fs/mount/wire.h"

/* The kernel may keep what it read: it notices by itself whatever changes through it. As with files
 * the pages are dropped where the next read must be heard of. */
static void set_caching(struct pfs_mount *m, const struct pfs_node *node, struct fuse_file_info *fi)
{
    struct pfs_attr attr;
    bool due = false;

    if (!m->opt->readonly && m->opt->atime != PFS_ATIME_NOATIME)
        due = pfs_tree_getattr(node->tree, node->ino, &attr) == 0 &&
              pfs_atime_due(m->opt->atime, &attr);
    fi->cache_readdir = 1;
    fi->keep_cache = !due;
}

void pfs_op_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi)
{
    struct pfs_mount *m = pfs_mount_of(req);
    struct pfs_handle *handle;
    struct pfs_open *open;
    struct pfs_node node;
    int err = pfs_node_find(m, nodeid, &node);

    if (err) {
        pfs_reply_result(req, "opendir", err);
        return;
    }
    fi->fh = 0;
    if (!node.tree) {
        fuse_reply_open(req, fi);
        return;
    }
    open = pfs_open_new();
    err = open ? pfs_tree_open_dir(node.tree, node.ino, &handle) : PFS_ENOMEM;
    if (err) {
        if (open)
            pfs_open_free(open);
        pfs_reply_result(req, "opendir", err);
        return;
    }
    set_caching(m, &node, fi);
    pfs_handles_add(&m->handles, open, node.tree, handle);
    fi->fh = pfs_open_to_fh(open);
    fuse_reply_open(req, fi);
}

void pfs_op_releasedir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi)
{
    (void)nodeid;
    if (fi->fh)
        pfs_handles_close(&pfs_mount_of(req)->handles, pfs_open_of_fh(fi->fh));
    fuse_reply_err(req, 0);
}

void pfs_op_fsyncdir(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *fi)
{
    struct pfs_open *open = pfs_open_of_fh(fi->fh);

    (void)nodeid;
    pfs_reply_result(req, "fsyncdir",
                     open ? pfs_file_sync(open->tree, open->handle, data_only != 0) : 0);
}

/* --- reading --------------------------------------------------------------------------------- */

struct filling {
    fuse_req_t req;
    struct pfs_mount *m;
    uint32_t branch;
    bool plus;
    bool in_branches; /* the directory is a branch's root, and stands in the view branches/ */
    char *buf;
    size_t size, used;
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int fill(void *ctx, const char *name, const struct pfs_attr *attr, uint64_t off)
{
    struct filling *f = ctx;
    struct fuse_entry_param e = {0};
    char *at = f->buf + f->used;
    size_t room = f->size - f->used, len;

    if (f->plus && !is_dots(name)) {
        pfs_attr_to_entry(f->m, f->branch, attr, &e);
    } else {
        e.attr.st_ino = pfs_tree_st_ino(f->branch, attr->ino);
        e.attr.st_mode = attr->mode;
        if (f->in_branches && strcmp(name, "..") == 0)
            e.attr.st_ino = PFS_VIEW_BRANCHES;
    }
    if (f->plus)
        len = fuse_add_direntry_plus(f->req, at, room, name, &e, (off_t)off);
    else
        len = fuse_add_direntry(f->req, at, room, name, &e.attr, (off_t)off);
    if (len > room)
        return 1;
    f->used += len;
    return 0;
}

static void read_dir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off, uint64_t fh,
                     bool plus)
{
    struct pfs_open *open = pfs_open_of_fh(fh);
    struct filling f = {.req = req, .m = pfs_mount_of(req), .plus = plus};
    struct pfs_node node;
    size_t room;
    int err;

    f.buf = pfs_wire_scratch(&room);
    f.size = size < room ? size : room;
    err = pfs_node_find(f.m, nodeid, &node);
    if (!err && !open) {
        f.used = pfs_view_readdir(req, (enum pfs_view)node.ino, plus, off, f.buf, f.size);
    } else if (!err) {
        f.branch = node.branch;
        f.in_branches = node.ino == PFS_ROOT_INO && !f.m->root_branch;
        err = pfs_tree_readdir(open->tree, open->handle, (uint64_t)off, plus, fill, &f);
    }
    /* Entries that are in the buffer carry references: they must be delivered. An error that lasts
     * comes again at the next call. */
    if (err && f.used == 0)
        pfs_reply_result(req, "readdir", err);
    else
        fuse_reply_buf(req, f.buf, f.used);
}

void pfs_op_readdir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    read_dir(req, nodeid, size, off, fi->fh, false);
}

void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    read_dir(req, nodeid, size, off, fi->fh, true);
}
