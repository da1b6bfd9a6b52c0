/* Is the tree whole? Each kind of key is passed through once, in order; inodes are kept in an array
 * (they come sorted), in which the other passes count what they find. */
#include "fs/tree/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STEPS_PER_PROGRESS 4096

void check_fault(struct check *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->stats->faults++;
    c->cb->fault(c->cb->ctx, text);
}

int check_judge(struct check *c, int err, const char *fmt, ...)
{
    char what[256];
    va_list ap;

    if (err != PFS_ECORRUPT)
        return err;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    check_fault(c, "%s: %s", what, pfs_err_message());
    return 0;
}

void check_step(struct check *c)
{
    if (++c->steps % STEPS_PER_PROGRESS == 0 && c->cb->progress)
        c->cb->progress(c->cb->ctx, c->stats);
}

struct check_node *check_find(struct check *c, uint64_t ino)
{
    size_t from = 0, to = c->n_nodes;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (c->nodes[middle].ino < ino)
            from = middle + 1;
        else
            to = middle;
    }
    return from < c->n_nodes && c->nodes[from].ino == ino ? &c->nodes[from] : NULL;
}

/* --- inodes ----------------------------------------------------------------------------------- */

static void check_value(struct check *c, uint64_t ino, const struct pfs_ivalue *v)
{
    size_t target_len = v->target ? strlen(v->target) : 0;

    switch (v->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
        break;
    default:
        check_fault(c, "inode %" PRIu64 ": mode %o is of no type", ino, (unsigned)v->mode);
    }
    if (S_ISLNK(v->mode) ? target_len == 0 || target_len != v->size : target_len != 0)
        check_fault(c, "inode %" PRIu64 ": a target of %zu bytes, with mode %o and size %" PRIu64,
                    ino, target_len, (unsigned)v->mode, v->size);
    if (S_ISREG(v->mode) && v->size > PFS_FILE_MAX)
        check_fault(c, "inode %" PRIu64 ": size %" PRIu64 " is beyond the largest file", ino,
                    v->size);
    for (unsigned i = 0; i < v->n_marks; i++)
        if (!S_ISREG(v->mode) || v->marks[i].size > v->size || v->marks[i].lsn > c->lsn)
            check_fault(
                c, "inode %" PRIu64 ": a truncation mark (LSN %s, size %" PRIu64 ") past its end",
                ino, pfs_lsn_print(v->marks[i].lsn).s, v->marks[i].size);
}

static int add_node(struct check *c, const struct check_node *node)
{
    if (c->n_nodes == c->cap_nodes) {
        size_t cap = c->cap_nodes ? c->cap_nodes + c->cap_nodes / 2 : 1024;
        void *grown = realloc(c->nodes, cap * sizeof(*c->nodes));

        if (!grown)
            return pfs_fail(PFS_ENOMEM, "out of memory for %zu inodes", cap);
        c->nodes = grown;
        c->cap_nodes = cap;
    }
    c->nodes[c->n_nodes++] = *node;
    return 0;
}

static int add_inode(struct check *c, const struct pfs_version *v, uint64_t next_ino)
{
    struct check_node node = {.ino = v->key.a};
    struct pfs_ivalue value;
    int err = pfs_ivalue_decode(v->data, v->len, v->lsn, &value);

    if (v->key.b != 0 || node.ino == 0 || node.ino >> PFS_INO_BITS)
        check_fault(c, "inode %" PRIu64 ": its number is none (part %" PRIu64 ")", node.ino,
                    v->key.b);
    if (node.ino >= next_ino && node.ino != PFS_ROOT_INO)
        check_fault(c, "inode %" PRIu64 ": the next new one would be %" PRIu64, node.ino, next_ino);
    if (err)
        return check_judge(c, err, "inode %" PRIu64, node.ino);
    check_value(c, node.ino, &value);
    node.nlink = value.nlink;
    node.type = (uint8_t)(value.mode >> 12);
    node.xattrs_left = (int32_t)value.n_xattrs;
    c->stats->inodes++;
    if (S_ISDIR(value.mode)) {
        node.parent = value.parent;
        node.entries_left = (int64_t)value.size;
        node.links = 2;
        c->stats->directories++;
    } else if (S_ISREG(value.mode)) {
        c->stats->bytes += value.size;
    }
    pfs_ivalue_release(&value);
    return add_node(c, &node);
}

static int load_inodes(struct check *c)
{
    struct pfs_key from = pfs_key(PFS_KEY_INODE, 0, 0);
    struct pfs_key to = pfs_key(PFS_KEY_INODE, UINT64_MAX, UINT64_MAX);
    struct pfs_store_stats store;
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan);

    if (err)
        return err;
    pfs_store_stats(c->store, &store);
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        err = add_inode(c, &v, store.next_ino);
        if (err)
            break;
        check_step(c);
    }
    pfs_scan_end(scan);
    return err == PFS_ENOENT ? 0 : err;
}

static int load_orphans(struct check *c)
{
    struct pfs_key from = pfs_key(PFS_KEY_ORPHAN, 0, 0);
    struct pfs_key to = pfs_key(PFS_KEY_ORPHAN, UINT64_MAX, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan);

    if (err)
        return check_judge(c, err, "orphans");
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        struct check_node *node = check_find(c, v.key.a);

        if (!node) {
            check_fault(c, "orphan %" PRIu64 ": there is no such inode", v.key.a);
            continue;
        }
        node->orphan = true;
        c->stats->orphans++;
        check_step(c);
    }
    pfs_scan_end(scan);
    return err == PFS_ENOENT ? 0 : check_judge(c, err, "orphans");
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool is_empty(const struct check *c)
{
    return c->n_nodes == 0 && c->stats->entries == 0 && c->stats->faults == 0;
}

static int run(struct check *c)
{
    int err = load_inodes(c);

    if (err) /* nothing can be told of the rest */
        return check_judge(c, err, "inodes can't be read, so the rest isn't checked");
    err = load_orphans(c);
    if (!err)
        err = check_dentries(c);
    if (err || is_empty(c)) /* empty: nobody has mounted it yet */
        return err;
    err = check_xattrs(c);
    if (!err)
        err = check_pages(c);
    if (!err)
        check_links(c);
    return err;
}

int pfs_tree_check(struct pfs_store *store, uint64_t name_seed, const struct pfs_tree_check_cb *cb,
                   struct pfs_tree_check_stats *stats)
{
    struct check c = {.store = store,
                      .lsn = pfs_store_head(store),
                      .cb = cb,
                      .stats = stats,
                      .name_seed = name_seed};
    int err;

    memset(stats, 0, sizeof(*stats));
    err = run(&c);
    free(c.nodes);
    if (!err && stats->faults > 0)
        err = pfs_fail(PFS_ECORRUPT, "the tree has %" PRIu64 " faults", stats->faults);
    return err;
}
