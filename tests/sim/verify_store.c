#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "fs/tree/ivalue.h"
#include "fs/tree/name.h"
#include "tests/sim/simdisk_impl.h"
#include "tests/sim/verify.h"

struct checking {
    struct pfs_store *store;
    pfs_lsn lsn;
    const struct mstate *s;
    struct verify *v;
};

#define DIFFERS(c, ...) ((void)snprintf((c)->v->why, sizeof((c)->v->why), __VA_ARGS__))

static void check_inode(struct checking *c, int node, uint64_t ino, const struct pfs_ivalue *v)
{
    const struct mnode *n = c->s->nodes[node];
    uint32_t links = (uint32_t)mtree_links(c->s, node);
    uint64_t size = S_ISDIR(n->mode) ? (uint64_t)mtree_children(c->s, node) : n->size;

    if (n->ino != 0 && n->ino != ino)
        DIFFERS(c, "#%d is inode %" PRIu64 ", not %" PRIu64, node, ino, n->ino);
    else if (v->mode != n->mode || v->uid != n->uid || v->gid != n->gid || v->rdev != n->rdev)
        DIFFERS(c, "#%d: mode %o uid %u gid %u rdev %u, not %o %u %u %u", node, v->mode, v->uid,
                v->gid, v->rdev, n->mode, n->uid, n->gid, n->rdev);
    else if (v->nlink != links)
        DIFFERS(c, "#%d has %u links, not %u", node, v->nlink, links);
    else if (v->size != size)
        DIFFERS(c, "#%d: size %" PRIu64 ", not %" PRIu64, node, v->size, size);
    else if (v->mtime_ns / PFS_NS_PER_S != n->mtime_ns / PFS_NS_PER_S || v->mtime_ns > n->mtime_ns)
        DIFFERS(c, "#%d: mtime %" PRIu64 " for %" PRIu64, node, v->mtime_ns, n->mtime_ns);
    else if (S_ISLNK(n->mode) && (!v->target || strcmp(v->target, n->target) != 0))
        DIFFERS(c, "#%d has the wrong target", node);
}

/* Page `block` of pagefs as the file shows it. */
static int read_page(struct checking *c, uint64_t ino, const struct pfs_ivalue *v, uint64_t block,
                     unsigned char *page)
{
    uint32_t page_size = pfs_store_page_size(c->store);
    struct pfs_page_version version;
    uint64_t start = block * page_size, cut;
    int err = pfs_store_read_page(c->store, ino, block, c->lsn, page, &version);

    if (err || version.lsn == 0)
        return err;
    if (version.lsn > c->lsn)
        DIFFERS(c, "page %" PRIu64 " of inode %" PRIu64 " at LSN %s is of %s", block, ino,
                pfs_lsn_print(c->lsn).s, pfs_lsn_print(version.lsn).s);
    cut = pfs_marks_cut(v->marks, v->n_marks, version.lsn);
    if (cut < start + page_size) {
        cut = cut > start ? cut - start : 0;
        memset(page + cut, 0, page_size - cut);
    }
    return 0;
}

static int check_bytes(struct checking *c, int node, uint64_t ino, const struct pfs_ivalue *v,
                       uint64_t base)
{
    uint32_t page_size = pfs_store_page_size(c->store);
    unsigned char *got = sim_need(malloc(2 * (size_t)page_size)), *wanted = got + page_size;
    int err = 0;

    for (uint64_t off = base; off < pfs_min64(v->size, base + MODEL_STRETCH) && !err;
         off += page_size) {
        uint64_t len = pfs_min64(page_size, v->size - off);

        err = read_page(c, ino, v, off / page_size, got);
        mtree_read(c->s->nodes[node], wanted, len, off);
        if (!err && memcmp(got, wanted, len) != 0) {
            DIFFERS(c, "#%d: the page at %" PRIu64 " is different", node, off);
            break;
        }
    }
    free(got);
    return err;
}

static int check_xattrs(struct checking *c, int node, uint64_t ino)
{
    struct pfs_key from = pfs_key(PFS_KEY_XATTR, ino, 0);
    struct pfs_key to = pfs_key(PFS_KEY_XATTR, ino, UINT64_MAX);
    const struct mnode *n = c->s->nodes[node];
    unsigned char wanted[9000];
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan), left = 0;

    if (err)
        return err;
    for (int i = 0; i < MODEL_XATTRS; i++)
        left += n->xattrs[i].name != 0;
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        const unsigned char *p = v.data;
        bool same = false;

        for (int i = 0; i < MODEL_XATTRS && p[0] > 0; i++) {
            const struct mxattr *x = &n->xattrs[i];
            const char *name = mtree_xattr(x->name);

            if (x->name == 0 || p[0] != strlen(name) || memcmp(p + 1, name, p[0]) != 0)
                continue;
            mtree_xattr_fill(x, wanted);
            same = v.len == 1 + p[0] + x->len && memcmp(p + 1 + p[0], wanted, x->len) == 0;
        }
        left -= same;
        if (p[0] > 0 && !same)
            DIFFERS(c, "#%d has an attribute too many, or another value of it", node);
    }
    pfs_scan_end(scan);
    if (err == PFS_ENOENT && left != 0 && !c->v->why[0])
        DIFFERS(c, "#%d lacks %d attributes", node, left);
    return err == PFS_ENOENT ? 0 : err;
}

static int check_dir(struct checking *c, int dir, uint64_t ino);

static int check_node(struct checking *c, int node, uint64_t ino)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, ino, 0);
    struct pfs_ivalue v = {0};
    struct pfs_buf value;
    pfs_lsn lsn;
    int err;

    if (c->v->ino[node] != 0) {
        if (c->v->ino[node] != ino)
            DIFFERS(c, "two names of #%d have different inodes", node);
        return 0;
    }
    c->v->ino[node] = ino;
    pfs_buf_init(&value, PFS_RECORD_MAX);
    err = pfs_store_get(c->store, &key, c->lsn, &value, &lsn);
    if (err == PFS_ENOENT)
        DIFFERS(c, "#%d: inode %" PRIu64 " is missing", node, ino);
    if (!err)
        err = pfs_ivalue_decode(value.data, value.len, lsn, &v);
    pfs_buf_release(&value);
    if (err)
        return err == PFS_ENOENT ? 0 : err;
    check_inode(c, node, ino, &v);
    c->v->mtime[node] = v.mtime_ns;
    if (!c->v->why[0])
        err = check_xattrs(c, node, ino);
    if (!err && !c->v->why[0] && S_ISREG(v.mode))
        err = check_bytes(c, node, ino, &v, 0);
    if (!err && !c->v->why[0] && S_ISREG(v.mode))
        err = check_bytes(c, node, ino, &v, MODEL_FAR);
    if (!err && !c->v->why[0] && S_ISDIR(v.mode))
        err = check_dir(c, node, ino);
    pfs_ivalue_release(&v);
    return err;
}

static int check_entry(struct checking *c, int dir, const struct pfs_dentry *d)
{
    for (int i = 0; i < c->s->n_entries; i++) {
        const struct mentry *e = &c->s->entries[i];
        const char *name = mtree_name(e->name);

        if (e->parent == dir && strlen(name) == d->name_len &&
            memcmp(name, d->name, d->name_len) == 0) {
            if (d->type != c->s->nodes[e->child]->mode >> 12)
                DIFFERS(c, "#%d/%.40s has the wrong type", dir, name);
            return c->v->why[0] ? 0 : check_node(c, e->child, d->child);
        }
    }
    DIFFERS(c, "#%d/%.*s should not be there", dir, d->name_len, d->name);
    return 0;
}

static int check_dir(struct checking *c, int dir, uint64_t ino)
{
    struct pfs_key from = pfs_key(PFS_KEY_DENTRY, ino, 0);
    struct pfs_key to = pfs_key(PFS_KEY_DENTRY, ino, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan), n = 0;

    if (err)
        return err;
    while (!c->v->why[0] && (err = pfs_scan_next(scan, &v)) == 0) {
        struct pfs_dentry d;

        err = pfs_dentry_decode(v.data, v.len, &d);
        n += !err && d.child != 0;
        if (!err && d.child != 0)
            err = check_entry(c, dir, &d);
        if (err)
            break;
    }
    pfs_scan_end(scan);
    if (err == PFS_ENOENT && n != mtree_children(c->s, dir))
        DIFFERS(c, "#%d has %d entries, not %d", dir, n, mtree_children(c->s, dir));
    return err == PFS_ENOENT ? 0 : err;
}

int verify_store(struct pfs_store *store, pfs_lsn lsn, const struct mstate *state, struct verify *v)
{
    struct checking c = {.store = store, .lsn = lsn, .s = state, .v = v};

    memset(v, 0, sizeof(*v));
    return check_node(&c, 0, PFS_ROOT_INO);
}
