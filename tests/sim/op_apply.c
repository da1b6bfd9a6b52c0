/* What an operation does to the model: POSIX's words in the order in which the tree checks them. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/bytes.h"
#include "tests/sim/op.h"
#include "tests/sim/simclock.h"

static void touch(struct mstate *s, int node)
{
    mtree_edit(s, node)->mtime_ns = simclock_now();
}

static void changed(struct mstate *s, int node)
{
    (void)mtree_edit(s, node);
}

static bool is_open(const struct op_run *run, int node)
{
    for (int i = 0; i < OP_HANDLES; i++)
        if (run->open_node[i] == node)
            return true;
    return false;
}

static bool is_dir(const struct mstate *s, int node)
{
    return S_ISDIR(s->nodes[node]->mode);
}

/* It lost a name. */
static void lose_name(struct mstate *s, const struct op_run *run, int node)
{
    if (mtree_links(s, node) > 0 || is_open(run, node))
        changed(s, node);
    else
        mtree_drop_node(s, node);
}

static int birth(const struct op *op, struct mstate *s, uint32_t mode)
{
    const struct mnode *dir = s->nodes[op->parent];
    bool sgid = dir->mode & S_ISGID;
    uint32_t gid = sgid ? dir->gid : 7;
    int node = mtree_new_node(s, mode | (sgid && S_ISDIR(mode) ? S_ISGID : 0));
    struct mnode *n = s->nodes[node];

    n->uid = 5;
    n->gid = gid;
    if (S_ISLNK(mode)) {
        snprintf(n->target, sizeof(n->target), "target %o", op->mode);
        n->size = strlen(n->target);
    }
    if (S_ISCHR(mode))
        n->rdev = 0x103;
    mtree_add_entry(s, op->parent, op->name, node);
    touch(s, op->parent);
    return 0;
}

static void truncate_to(struct mstate *s, int node, uint64_t size)
{
    struct mnode *n = mtree_edit(s, node);

    mtree_resize(n, size);
    n->mtime_ns = simclock_now();
}

static int apply_create(const struct op *op, struct mstate *s)
{
    int entry = mtree_find(s, op->parent, op->name);

    if (entry < 0)
        return birth(op, s, S_IFREG | (op->mode & ~UINT32_C(022)));
    if (op->flags & O_EXCL)
        return PFS_EEXIST;
    if (is_dir(s, s->entries[entry].child))
        return PFS_EISDIR;
    if (op->flags & O_TRUNC)
        truncate_to(s, s->entries[entry].child, 0);
    return 0;
}

static int apply_link(const struct op *op, struct mstate *s)
{
    if (is_dir(s, op->node))
        return PFS_EPERM;
    if (mtree_find(s, op->parent, op->name) >= 0)
        return PFS_EEXIST;
    mtree_add_entry(s, op->parent, op->name, op->node);
    changed(s, op->node);
    touch(s, op->parent);
    return 0;
}

static int apply_remove(const struct op *op, struct mstate *s, const struct op_run *run,
                        bool want_dir)
{
    int entry = mtree_find(s, op->parent, op->name), node;

    if (entry < 0)
        return PFS_ENOENT;
    node = s->entries[entry].child;
    if (is_dir(s, node) != want_dir)
        return want_dir ? PFS_ENOTDIR : PFS_EISDIR;
    if (want_dir && mtree_children(s, node) > 0)
        return PFS_ENOTEMPTY;
    mtree_remove_entry(s, entry);
    lose_name(s, run, node);
    touch(s, op->parent);
    return 0;
}

static int check_replace(const struct mstate *s, int src, int dst)
{
    if (is_dir(s, src) != is_dir(s, dst))
        return is_dir(s, src) ? PFS_ENOTDIR : PFS_EISDIR;
    return is_dir(s, dst) && mtree_children(s, dst) > 0 ? PFS_ENOTEMPTY : 0;
}

static int apply_rename(const struct op *op, struct mstate *s, const struct op_run *run)
{
    int from = mtree_find(s, op->parent, op->name), to = mtree_find(s, op->parent2, op->name2);
    int src = from < 0 ? -1 : s->entries[from].child, dst = to < 0 ? -1 : s->entries[to].child;
    bool exchange = op->flags == RENAME_EXCHANGE;
    int err = 0;

    if (from < 0 || (to < 0 && exchange))
        return PFS_ENOENT;
    if (to >= 0 && op->flags == RENAME_NOREPLACE)
        return PFS_EEXIST;
    if (src == dst)
        return 0;
    if (is_dir(s, src) && mtree_is_above(s, src, op->parent2))
        return PFS_ELOOP;
    if (dst >= 0 && is_dir(s, dst) && mtree_is_above(s, dst, op->parent))
        return exchange ? PFS_ELOOP : PFS_ENOTEMPTY;
    if (dst >= 0 && !exchange)
        err = check_replace(s, src, dst);
    if (err)
        return err;
    mtree_remove_entry(s, from);
    if (dst >= 0)
        mtree_remove_entry(s, mtree_find(s, op->parent2, op->name2));
    mtree_add_entry(s, op->parent2, op->name2, src);
    if (exchange)
        mtree_add_entry(s, op->parent, op->name, dst);
    changed(s, src);
    touch(s, op->parent);
    touch(s, op->parent2);
    if (exchange)
        changed(s, dst);
    else if (dst >= 0)
        lose_name(s, run, dst);
    return 0;
}

static void apply_write(const struct op *op, struct mstate *s)
{
    struct mnode *n = mtree_edit(s, op->node);
    bool group_runs = n->mode & S_IXGRP;

    mtree_write(n, op->bytes, op->len, op->off);
    n->mtime_ns = simclock_now();
    if (op->flags)
        n->mode &= ~(uint32_t)(S_ISUID | (group_runs ? S_ISGID : 0));
}

static void apply_fallocate(const struct op *op, struct mstate *s)
{
    struct mnode *n = mtree_edit(s, op->node);
    uint64_t end = op->off + op->len;
    bool keep = op->flags & FALLOC_FL_KEEP_SIZE;
    if (op->flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        mtree_zero(n, op->off, end);
    if (!keep && end > n->size)
        n->size = end;
    n->mtime_ns = simclock_now();
}

static int apply_xattr(const struct op *op, struct mstate *s)
{
    struct mnode *n = s->nodes[op->node];
    bool set = op->kind == OP_SETXATTR;
    int at = -1, unused = -1;

    for (int i = 0; i < MODEL_XATTRS; i++) {
        if (n->xattrs[i].name == op->xattr.name)
            at = i;
        if (n->xattrs[i].name == 0)
            unused = i;
    }
    if (at >= 0 && set && op->flags == XATTR_CREATE)
        return PFS_EEXIST;
    if (at < 0 && (!set || op->flags == XATTR_REPLACE))
        return PFS_ENODATA;
    n = mtree_edit(s, op->node);
    if (set)
        n->xattrs[at >= 0 ? at : unused] = op->xattr;
    else
        n->xattrs[at] = (struct mxattr){0};
    return 0;
}

/* With its last user goes a file that has no name any more. */
static void apply_close(const struct op *op, struct mstate *s, const struct op_run *run)
{
    int node = run->open_node[op->slot], users = 0;

    for (int i = 0; i < OP_HANDLES; i++)
        users += run->open_node[i] == node;
    if (users == 1 && mtree_links(s, node) == 0)
        mtree_drop_node(s, node);
}

static void apply_attr(const struct op *op, struct mstate *s)
{
    struct mnode *n = mtree_edit(s, op->node);

    if (op->kind == OP_CHMOD)
        n->mode = (n->mode & S_IFMT) | op->mode;
    else if (op->kind == OP_CHOWN)
        n->uid = n->gid = op->mode;
    else
        n->mtime_ns = op->off;
}

static int apply_to(const struct op *op, struct mstate *s, const struct op_run *run)
{
    if (op->kind == OP_MKDIR || op->kind == OP_SYMLINK || op->kind == OP_MKNOD) {
        uint32_t mode = op->kind == OP_MKDIR     ? S_IFDIR | (op->mode & ~UINT32_C(022))
                        : op->kind == OP_SYMLINK ? S_IFLNK | 0777
                                                 : S_IFCHR | (op->mode & ~UINT32_C(022));

        return mtree_find(s, op->parent, op->name) >= 0 ? PFS_EEXIST : birth(op, s, mode);
    }
    switch (op->kind) {
    case OP_CREATE:
        return apply_create(op, s);
    case OP_LINK:
        return apply_link(op, s);
    case OP_UNLINK:
    case OP_RMDIR:
        return apply_remove(op, s, run, op->kind == OP_RMDIR);
    case OP_RENAME:
        return apply_rename(op, s, run);
    case OP_OPEN:
        if (op->flags & O_TRUNC)
            truncate_to(s, op->node, 0);
        return 0;
    case OP_CLOSE:
        apply_close(op, s, run);
        return 0;
    case OP_WRITE:
        apply_write(op, s);
        return 0;
    case OP_TRUNCATE:
        truncate_to(s, op->node, op->len);
        return 0;
    case OP_FALLOCATE:
        apply_fallocate(op, s);
        return 0;
    case OP_SETXATTR:
    case OP_REMOVEXATTR:
        return apply_xattr(op, s);
    case OP_LOOKUP:
        return mtree_find(s, op->parent, op->name) >= 0 ? 0 : PFS_ENOENT;
    case OP_CHMOD:
    case OP_CHOWN:
    case OP_UTIME:
        apply_attr(op, s);
        return 0;
    default:
        return 0;
    }
}

static bool changes_nothing(enum op_kind kind)
{
    return kind >= OP_READ;
}

int op_apply(const struct op *op, struct mstate *state, const struct op_run *run,
             struct mstate **after)
{
    int err;

    if (changes_nothing(op->kind)) {
        *after = state;
        state->refs++;
        return apply_to(op, state, run);
    }
    *after = mtree_copy(state);
    err = apply_to(op, *after, run);
    if (err) {
        mtree_put(*after);
        *after = state;
        state->refs++;
    }
    return err;
}
