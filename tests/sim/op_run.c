/* Carrying operations out on a tree, as FUSE would. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fs/pages/store_impl.h"
#include "tests/sim/op.h"
#include "tests/sim/simdisk_impl.h"

static const struct pfs_cred cred = {.uid = 5, .gid = 7, .umask = 022};

static const char *const kind_names[OP_KINDS] = {
    "create", "mkdir", "symlink",  "mknod",     "link",  "unlink", "rmdir", "rename",   "open",
    "close",  "write", "truncate", "fallocate", "chmod", "chown",  "utime", "setxattr", "rmxattr",
    "read",   "seek",  "lookup",   "forget",    "fsync", "sync",   "flush", "prepare",
};

void op_print(const struct op *op, char *buf, size_t size)
{
    switch (op->kind) {
    case OP_CREATE:
    case OP_MKDIR:
    case OP_SYMLINK:
    case OP_MKNOD:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_LOOKUP:
        snprintf(buf, size, "%s #%d/%.30s mode %o flags %x slot %d", kind_names[op->kind],
                 op->parent, mtree_name(op->name), op->mode, op->flags, op->slot);
        break;
    case OP_LINK:
        snprintf(buf, size, "link #%d #%d/%.30s", op->node, op->parent, mtree_name(op->name));
        break;
    case OP_RENAME:
        snprintf(buf, size, "rename #%d/%.30s #%d/%.30s flags %x", op->parent, mtree_name(op->name),
                 op->parent2, mtree_name(op->name2), op->flags);
        break;
    case OP_SETXATTR:
    case OP_REMOVEXATTR:
        snprintf(buf, size, "%s #%d %s flags %x, %u bytes", kind_names[op->kind], op->node,
                 mtree_xattr(op->xattr.name), op->flags, op->xattr.len);
        break;
    default:
        snprintf(buf, size, "%s #%d slot %d off %" PRIu64 " len %" PRIu64 " flags %x mode %o",
                 kind_names[op->kind], op->node, op->slot, op->off, op->len, op->flags, op->mode);
        break;
    }
}

/* --- on open files ---------------------------------------------------------------------------- */

static int check_read(const struct op *op, const struct mnode *node, struct op_run *run,
                      struct pfs_handle *handle)
{
    unsigned char *got = sim_need(malloc(op->len)), *wanted = sim_need(malloc(op->len));
    uint64_t there = op->off < node->size ? pfs_min64(op->len, node->size - op->off) : 0;
    size_t len = 0;
    int err = pfs_file_read(run->tree, handle, got, op->len, op->off, &len);

    if (!err && len != there) {
        snprintf(run->wrong, sizeof(run->wrong), "read %zu bytes, not %" PRIu64, len, there);
    } else if (!err) {
        mtree_read(node, wanted, there, op->off);
        for (size_t i = 0; i < there; i++)
            if (got[i] != wanted[i]) {
                snprintf(run->wrong, sizeof(run->wrong), "byte %" PRIu64 " is %02x, not %02x",
                         op->off + i, got[i], wanted[i]);
                break;
            }
    }
    free(got);
    free(wanted);
    return err;
}

/* A hole must read as zeros; what SEEK_DATA skips and what SEEK_HOLE finds are holes. */
static int check_seek(const struct op *op, const struct mnode *node, struct op_run *run,
                      struct pfs_handle *handle)
{
    unsigned char *bytes;
    uint64_t at = 0, from, to, len;
    int err = pfs_file_seek(run->tree, handle, op->off, (int)op->flags, &at);

    if (err && err != PFS_ENXIO)
        return err;
    if ((op->off >= node->size && !err) || (err && op->off < node->size && op->flags == SEEK_HOLE))
        snprintf(run->wrong, sizeof(run->wrong), "seek says %s at %" PRIu64 " of %" PRIu64,
                 pfs_err_name(err), op->off, node->size);
    if (op->off >= node->size)
        return 0;
    from = op->flags == SEEK_DATA ? op->off : at;
    to = op->flags == SEEK_DATA ? (err ? node->size : at) : at + 1;
    to = pfs_min64(to, node->size);
    len = from < to ? pfs_min64(to - from, MODEL_STRETCH) : 0;
    bytes = sim_need(malloc(len + 1));
    mtree_read(node, bytes, len, from);
    if (len > 0 && !pfs_all_zero(bytes, len))
        snprintf(run->wrong, sizeof(run->wrong), "seek calls %" PRIu64 " to %" PRIu64 " a hole",
                 from, to);
    free(bytes);
    return 0;
}

static int on_handle(const struct op *op, const struct mstate *s, struct op_run *run,
                     struct pfs_handle *handle)
{
    switch (op->kind) {
    case OP_WRITE:
        return pfs_file_write(run->tree, handle, op->bytes, op->len, op->off, op->flags);
    case OP_FALLOCATE:
        return pfs_file_fallocate(run->tree, handle, (int)op->flags, op->off, op->len);
    case OP_READ:
        return check_read(op, s->nodes[op->node], run, handle);
    case OP_SEEK:
        return check_seek(op, s->nodes[op->node], run, handle);
    default:
        return pfs_file_sync(run->tree, handle, op->flags);
    }
}

static int on_file(const struct op *op, const struct mstate *s, struct op_run *run)
{
    const struct mnode *node = s->nodes[op->node];
    struct pfs_handle *handle;
    int err;

    if (op->slot >= 0)
        return on_handle(op, s, run, run->handles[op->slot]);
    if (S_ISDIR(node->mode))
        err = pfs_tree_open_dir(run->tree, node->ino, &handle);
    else
        err = pfs_tree_open_file(run->tree, node->ino, O_RDWR, &handle);
    if (err)
        return err;
    err = on_handle(op, s, run, handle);
    pfs_tree_release(run->tree, handle);
    return err;
}

static void keep(const struct op *op, struct op_run *run, int node, struct pfs_handle *handle)
{
    if (op->slot < 0) {
        pfs_tree_release(run->tree, handle);
        return;
    }
    run->handles[op->slot] = handle;
    run->open_node[op->slot] = node;
    run->sync_writes[op->slot] = op->flags & O_DSYNC;
}

/* --- on names --------------------------------------------------------------------------------- */

static int set_attr(const struct op *op, uint64_t ino, struct op_run *run)
{
    struct pfs_attr in = {.mode = op->mode,
                          .uid = op->mode,
                          .gid = op->mode,
                          .size = op->len,
                          .mtime_ns = op->off},
                    out;
    unsigned what = op->kind == OP_TRUNCATE ? PFS_SET_SIZE
                    : op->kind == OP_CHMOD  ? PFS_SET_MODE
                    : op->kind == OP_CHOWN  ? PFS_SET_UID | PFS_SET_GID
                                            : PFS_SET_MTIME;

    return pfs_tree_setattr(run->tree, ino, what, &in, &out);
}

static int set_xattr(const struct op *op, uint64_t ino, struct op_run *run)
{
    unsigned char value[9000];

    mtree_xattr_fill(&op->xattr, value);
    return pfs_tree_setxattr(run->tree, ino, mtree_xattr(op->xattr.name), value, op->xattr.len,
                             (int)op->flags, false);
}

static int create(const struct op *op, const struct mstate *s, struct op_run *run,
                  struct pfs_attr *attr)
{
    int entry = mtree_find(s, op->parent, op->name), node = 0;
    struct pfs_handle *handle;
    int err = pfs_tree_create(run->tree, s->nodes[op->parent]->ino, mtree_name(op->name), op->mode,
                              (int)op->flags, &cred, attr, &handle);

    if (err)
        return err;
    while (entry < 0 && s->nodes[node]) /* the model takes the first free number, too */
        node++;
    keep(op, run, entry < 0 ? node : s->entries[entry].child, handle);
    return 0;
}

/* What gives a reference to an inode. */
static int on_name(const struct op *op, const struct mstate *s, struct op_run *run)
{
    uint64_t parent = s->nodes[op->parent]->ino;
    const char *name = mtree_name(op->name);
    struct pfs_attr attr = {0};
    char target[32];
    int err;

    snprintf(target, sizeof(target), "target %o", op->mode);
    switch (op->kind) {
    case OP_CREATE:
        err = create(op, s, run, &attr);
        break;
    case OP_MKDIR:
        err = pfs_tree_mkdir(run->tree, parent, name, op->mode, &cred, &attr);
        break;
    case OP_SYMLINK:
        err = pfs_tree_symlink(run->tree, parent, name, target, &cred, &attr);
        break;
    case OP_MKNOD:
        err = pfs_tree_mknod(run->tree, parent, name, S_IFCHR | op->mode, 0x103, &cred, &attr);
        break;
    case OP_LINK:
        err = pfs_tree_link(run->tree, s->nodes[op->node]->ino, parent, name, &attr);
        break;
    default:
        err = pfs_tree_lookup(run->tree, parent, name, &attr);
        break;
    }
    if (!err)
        run->new_ino = attr.ino;
    return err;
}

static int close_slot(const struct op *op, struct op_run *run)
{
    pfs_tree_release(run->tree, run->handles[op->slot]);
    run->open_node[op->slot] = -1;
    return 0;
}

static int open_slot(const struct op *op, const struct mstate *s, struct op_run *run)
{
    struct pfs_handle *handle;
    int err = pfs_tree_open_file(run->tree, s->nodes[op->node]->ino, (int)op->flags, &handle);

    if (!err)
        keep(op, run, op->node, handle);
    return err;
}

int op_execute(const struct op *op, const struct mstate *s, struct op_run *run)
{
    bool wanted;

    run->new_ino = 0;
    switch (op->kind) {
    case OP_UNLINK:
        return pfs_tree_unlink(run->tree, s->nodes[op->parent]->ino, mtree_name(op->name));
    case OP_RMDIR:
        return pfs_tree_rmdir(run->tree, s->nodes[op->parent]->ino, mtree_name(op->name));
    case OP_RENAME:
        return pfs_tree_rename(run->tree, s->nodes[op->parent]->ino, mtree_name(op->name),
                               s->nodes[op->parent2]->ino, mtree_name(op->name2), op->flags);
    case OP_OPEN:
        return open_slot(op, s, run);
    case OP_CLOSE:
        return close_slot(op, run);
    case OP_TRUNCATE:
    case OP_CHMOD:
    case OP_CHOWN:
    case OP_UTIME:
        return set_attr(op, s->nodes[op->node]->ino, run);
    case OP_SETXATTR:
        return set_xattr(op, s->nodes[op->node]->ino, run);
    case OP_REMOVEXATTR:
        return pfs_tree_removexattr(run->tree, s->nodes[op->node]->ino,
                                    mtree_xattr(op->xattr.name));
    case OP_SYNC:
        return pfs_store_sync(run->store, PFS_LSN_MAX);
    case OP_FLUSH:
        return pfs_store_flush(run->store);
    case OP_PREPARE:
        return pfs_journal_prepare(run->store->journal, &wanted);
    case OP_FORGET:
        return 0; /* the caller's */
    case OP_WRITE:
    case OP_FALLOCATE:
    case OP_READ:
    case OP_SEEK:
    case OP_FSYNC:
        return on_file(op, s, run);
    default:
        return on_name(op, s, run);
    }
}
