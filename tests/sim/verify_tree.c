#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/sim/simdisk_impl.h"
#include "tests/sim/verify.h"

struct checking {
    struct pfs_tree *tree;
    const struct mstate *s;
    struct verify *v;
    unsigned char *got, *wanted; /* MODEL_STRETCH each */
    bool coarse;
};

#define DIFFERS(c, ...) ((void)snprintf((c)->v->why, sizeof((c)->v->why), __VA_ARGS__))

static void check_attr(struct checking *c, int node, const struct pfs_attr *attr)
{
    const struct mnode *n = c->s->nodes[node];
    uint32_t links = (uint32_t)mtree_links(c->s, node);

    if (n->ino != 0 && n->ino != attr->ino)
        DIFFERS(c, "#%d is inode %" PRIu64 ", not %" PRIu64, node, attr->ino, n->ino);
    else if (c->v->ino[node] != 0 && c->v->ino[node] != attr->ino)
        DIFFERS(c, "two names of #%d have different inodes", node);
    else if (attr->mode != n->mode || attr->uid != n->uid || attr->gid != n->gid ||
             attr->rdev != n->rdev)
        DIFFERS(c, "#%d: mode %o uid %u gid %u rdev %u, not %o %u %u %u", node, attr->mode,
                attr->uid, attr->gid, attr->rdev, n->mode, n->uid, n->gid, n->rdev);
    else if (attr->nlink != links)
        DIFFERS(c, "#%d has %u links, not %u", node, attr->nlink, links);
    else if (!S_ISDIR(n->mode) && attr->size != n->size)
        DIFFERS(c, "#%d has %" PRIu64 " bytes, not %" PRIu64, node, attr->size, n->size);
    else if (c->coarse ? attr->mtime_ns / PFS_NS_PER_S != n->mtime_ns / PFS_NS_PER_S
                       : attr->mtime_ns != n->mtime_ns)
        DIFFERS(c, "#%d: mtime %" PRIu64 ", not %" PRIu64, node, attr->mtime_ns, n->mtime_ns);
    c->v->ino[node] = attr->ino;
}

static int check_stretch(struct checking *c, int node, struct pfs_handle *handle, uint64_t base)
{
    const struct mnode *n = c->s->nodes[node];
    uint64_t there = n->size > base ? pfs_min64(MODEL_STRETCH, n->size - base) : 0;
    size_t len = 0;
    int err = pfs_file_read(c->tree, handle, c->got, MODEL_STRETCH, base, &len);

    if (err)
        return err;
    mtree_read(n, c->wanted, there, base);
    if (len != there)
        DIFFERS(c, "#%d: %zu bytes could be read at %" PRIu64 ", not %" PRIu64, node, len, base,
                there);
    for (size_t i = 0; len == there && i < len; i++)
        if (c->got[i] != c->wanted[i]) {
            DIFFERS(c, "#%d: byte %" PRIu64 " is %02x, not %02x", node, base + i, c->got[i],
                    c->wanted[i]);
            break;
        }
    return 0;
}

static int check_bytes(struct checking *c, int node)
{
    struct pfs_handle *handle;
    int err = pfs_tree_open_file(c->tree, c->v->ino[node], O_RDONLY, &handle);

    if (err)
        return err;
    err = check_stretch(c, node, handle, 0);
    if (!err && !c->v->why[0])
        err = check_stretch(c, node, handle, MODEL_FAR);
    if (!err && !c->v->why[0] && c->s->nodes[node]->size > MODEL_FAR)
        err = check_stretch(c, node, handle, MODEL_FAR / 2); /* zeros */
    pfs_tree_release(c->tree, handle);
    return err;
}

static int check_xattrs(struct checking *c, int node)
{
    const struct mnode *n = c->s->nodes[node];
    unsigned char got[9000], wanted[9000];
    size_t len = 0, names = 0;
    int err = pfs_tree_listxattr(c->tree, c->v->ino[node], NULL, 0, &len);

    for (int i = 0; i < MODEL_XATTRS && !err; i++) {
        const struct mxattr *x = &n->xattrs[i];
        size_t value = 0;

        if (x->name == 0)
            continue;
        names += strlen(mtree_xattr(x->name)) + 1;
        err = pfs_tree_getxattr(c->tree, c->v->ino[node], mtree_xattr(x->name), got, sizeof(got),
                                &value);
        mtree_xattr_fill(x, wanted);
        if (err == PFS_ENODATA || (!err && (value != x->len || memcmp(got, wanted, value) != 0))) {
            DIFFERS(c, "#%d: %s is different", node, mtree_xattr(x->name));
            return 0;
        }
    }
    if (!err && len != names)
        DIFFERS(c, "#%d: its attributes' names are %zu bytes, not %zu", node, len, names);
    return err;
}

static int check_node(struct checking *c, int node, const struct pfs_attr *attr)
{
    bool first = c->v->ino[node] == 0;
    char target[PFS_SYMLINK_MAX + 1];
    int err;

    check_attr(c, node, attr);
    if (c->v->why[0] || !first)
        return 0;
    err = check_xattrs(c, node);
    if (!err && !c->v->why[0] && S_ISREG(attr->mode))
        err = check_bytes(c, node);
    if (!err && !c->v->why[0] && S_ISLNK(attr->mode)) {
        err = pfs_tree_readlink(c->tree, attr->ino, target);
        if (!err && strcmp(target, c->s->nodes[node]->target) != 0)
            DIFFERS(c, "#%d: its target is '%.40s'", node, target);
    }
    return err;
}

struct listing {
    struct checking *c;
    int dir, n;
};

static int count_entry(void *ctx, const char *name, const struct pfs_attr *attr, uint64_t off)
{
    struct listing *l = ctx;

    (void)off;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    l->n++;
    for (int i = 0; i < l->c->s->n_entries; i++) {
        const struct mentry *e = &l->c->s->entries[i];

        if (e->parent == l->dir && strcmp(mtree_name(e->name), name) == 0) {
            if ((attr->mode ^ l->c->s->nodes[e->child]->mode) & S_IFMT)
                DIFFERS(l->c, "#%d/%s has the wrong type", l->dir, name);
            return 0;
        }
    }
    DIFFERS(l->c, "#%d/%s should not be there", l->dir, name);
    return 0;
}

static int check_dir(struct checking *c, int dir)
{
    struct listing l = {.c = c, .dir = dir};
    struct pfs_handle *handle;
    int err = pfs_tree_open_dir(c->tree, c->v->ino[dir], &handle);

    if (err)
        return err;
    err = pfs_tree_readdir(c->tree, handle, 0, false, count_entry, &l);
    pfs_tree_release(c->tree, handle);
    if (!err && !c->v->why[0] && l.n != mtree_children(c->s, dir))
        DIFFERS(c, "#%d lists %d entries, not %d", dir, l.n, mtree_children(c->s, dir));
    for (int i = 0; i < c->s->n_entries && !err && !c->v->why[0]; i++) {
        const struct mentry *e = &c->s->entries[i];
        struct pfs_attr attr;

        if (e->parent != dir)
            continue;
        err = pfs_tree_lookup(c->tree, c->v->ino[dir], mtree_name(e->name), &attr);
        if (err == PFS_ENOENT) {
            DIFFERS(c, "#%d/%.40s is missing", dir, mtree_name(e->name));
            return 0;
        }
        if (err)
            return err;
        err = check_node(c, e->child, &attr);
        pfs_tree_forget(c->tree, attr.ino, 1);
        if (!err && !c->v->why[0] && S_ISDIR(attr.mode))
            err = check_dir(c, e->child);
    }
    return err;
}

int verify_tree(struct pfs_tree *tree, const struct mstate *state, bool coarse, struct verify *v)
{
    struct checking c = {.tree = tree, .s = state, .v = v, .coarse = coarse};
    struct pfs_attr attr;
    int err;

    memset(v, 0, sizeof(*v));
    c.got = sim_need(malloc(2 * MODEL_STRETCH));
    c.wanted = c.got + MODEL_STRETCH;
    err = pfs_tree_getattr(tree, PFS_ROOT_INO, &attr);
    if (!err)
        err = check_node(&c, 0, &attr);
    if (!err && !v->why[0])
        err = check_dir(&c, 0);
    free(c.got);
    return err;
}
