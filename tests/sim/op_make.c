/* Making operations: mostly ones that work, on few names and few pages, so that they meet. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/sim/op.h"

static const struct {
    enum op_kind kind;
    unsigned weight;
} weights[] = {
    {OP_CREATE, 12}, {OP_MKDIR, 4},    {OP_SYMLINK, 2},     {OP_MKNOD, 1}, {OP_LINK, 3},
    {OP_UNLINK, 6},  {OP_RMDIR, 2},    {OP_RENAME, 8},      {OP_OPEN, 5},  {OP_CLOSE, 4},
    {OP_WRITE, 50},  {OP_TRUNCATE, 8}, {OP_FALLOCATE, 6},   {OP_CHMOD, 2}, {OP_CHOWN, 1},
    {OP_UTIME, 2},   {OP_SETXATTR, 4}, {OP_REMOVEXATTR, 2}, {OP_READ, 6},  {OP_SEEK, 2},
    {OP_LOOKUP, 5},  {OP_FORGET, 4},   {OP_FSYNC, 8},       {OP_SYNC, 1},  {OP_FLUSH, 3},
    {OP_PREPARE, 2},
};

#define N_WEIGHTS (sizeof(weights) / sizeof(weights[0]))

static enum op_kind pick_kind(struct rng *rng)
{
    unsigned sum = 0, at;
    size_t i = 0;

    for (size_t k = 0; k < N_WEIGHTS; k++)
        sum += weights[k].weight;
    for (at = (unsigned)rng_below(rng, sum); at >= weights[i].weight; i++)
        at -= weights[i].weight;
    return weights[i].kind;
}

/* Any node of a type (0: of any type), with a name; -1: there is none. */
static int pick_node(const struct mstate *s, struct rng *rng, uint32_t type)
{
    int start = (int)rng_below(rng, MODEL_NODES);

    for (int i = 0; i < MODEL_NODES; i++) {
        int node = (start + i) % MODEL_NODES;

        if (s->nodes[node] && (type == 0 || (s->nodes[node]->mode & S_IFMT) == type) &&
            mtree_links(s, node) > 0)
            return node;
    }
    return -1;
}

/* An open file, or a file with a name. */
static void pick_file(struct op *op, const struct mstate *s, const struct op_run *run,
                      struct rng *rng)
{
    int slot = (int)rng_below(rng, OP_HANDLES);

    op->slot = -1;
    if (run->open_node[slot] >= 0 && !rng_one_in(rng, 3)) {
        op->slot = slot;
        op->node = run->open_node[slot];
    } else {
        op->node = pick_node(s, rng, S_IFREG);
    }
}

static bool is_room(const struct mstate *s)
{
    int nodes = 0;

    for (int i = 0; i < MODEL_NODES; i++)
        nodes += s->nodes[i] != NULL;
    return nodes < MODEL_NODES && s->n_entries < MODEL_ENTRIES;
}

static void pick_name(struct op *op, const struct mstate *s, struct rng *rng)
{
    op->parent = pick_node(s, rng, S_IFDIR);
    op->name = (int)rng_below(rng, MODEL_NAMES);
}

static void pick_entry(struct op *op, const struct mstate *s, struct rng *rng)
{
    const struct mentry *e;

    if (s->n_entries == 0 || rng_one_in(rng, 10)) {
        pick_name(op, s, rng);
        return;
    }
    e = &s->entries[rng_below(rng, (uint64_t)s->n_entries)];
    op->parent = e->parent;
    op->name = e->name;
}

static int free_slot(const struct op_run *run)
{
    for (int i = 0; i < OP_HANDLES; i++)
        if (run->open_node[i] < 0)
            return i;
    return -1;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void fill(struct op *op, struct rng *rng, unsigned pattern)
{
    uint64_t word = rng_next(rng);
    size_t constant = op->len; /* from here on the bytes are always the same */

    switch (pattern) {
    case 0:
        memset(op->bytes, 0, op->len);
        return;
    case 1:
        memset(op->bytes, (int)(word & 255), op->len);
        return;
    case 2:
        constant = pfs_min64(op->len, 100 + rng_below(rng, 1500));
        break;
    default:
        break;
    }
    for (size_t i = 0; i < op->len; i += 8) {
        size_t n = pfs_min64(8, op->len - i);

        if (i >= constant)
            word = i / 8;
        memcpy(op->bytes + i, &word, n);
        word = word * 5 + 1;
    }
}

static uint64_t base_of(struct rng *rng)
{
    return rng_one_in(rng, 12) ? MODEL_FAR : 0;
}

static void make_write(struct op *op, const struct mstate *s, struct rng *rng, size_t max_write)
{
    uint64_t base = base_of(rng), size = s->nodes[op->node]->size, room;

    op->flags = rng_one_in(rng, 4); /* kill_priv */
    op->len = 1 + rng_below(rng, rng_one_in(rng, 3) ? 300 : 9000);
    op->off = base + rng_below(rng, MODEL_STRETCH - op->len);
    if (rng_one_in(rng, 40))
        op->len = 1 + rng_below(rng, max_write);
    switch (rng_below(rng, 6)) {
    case 0: /* whole pages */
    case 1:
        op->len = (1 + rng_below(rng, 2)) * 8192;
        op->off = base + rng_below(rng, 6) * 8192;
        break;
    case 2: /* behind the end */
    case 3:
        if (size < MODEL_STRETCH || size >= MODEL_FAR)
            op->off = size;
        break;
    case 4: /* near the beginning */
        op->off = base + rng_below(rng, 2000);
        break;
    default:
        break;
    }
    if (op->off % MODEL_FAR >= MODEL_STRETCH)
        op->off = base;
    room = (op->off < MODEL_FAR ? 0 : MODEL_FAR) + MODEL_STRETCH;
    op->len = pfs_min64(op->len, pfs_min64(max_write, room - op->off));
    fill(op, rng, (unsigned)rng_below(rng, 6));
}

static uint64_t some_size(const struct mstate *s, const struct op *op, struct rng *rng)
{
    uint64_t size = s->nodes[op->node]->size, base = base_of(rng);

    switch (rng_below(rng, 4)) {
    case 0:
        return 0;
    case 1:
        return size > 5000 ? size - rng_below(rng, 5000) : size / 2;
    case 2:
        return base + rng_below(rng, MODEL_PAGES) * MODEL_PAGE;
    default:
        return base + rng_below(rng, MODEL_STRETCH);
    }
}

static void make_fallocate(struct op *op, struct rng *rng)
{
    static const unsigned modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                                     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    uint64_t base = base_of(rng);

    op->flags = modes[rng_below(rng, 5)];
    op->off = rng_below(rng, MODEL_STRETCH - 1);
    op->len = 1 + rng_below(rng, MODEL_STRETCH - op->off);
    if (rng_one_in(rng, 2))
        op->len = 1 + op->len / 8;
    if (rng_one_in(rng, 3)) {
        op->off &= ~UINT64_C(8191);
        op->len = pfs_min64(pfs_round_up(op->len, 8192), MODEL_STRETCH - op->off);
    }
    op->off += base;
    if ((op->flags & FALLOC_FL_PUNCH_HOLE) && base == 0 && rng_one_in(rng, 8))
        op->len += MODEL_FAR;
}

/* --- the rest --------------------------------------------------------------------------------- */

static void make_rename(struct op *op, const struct mstate *s, struct rng *rng)
{
    static const unsigned flags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    struct op other = {0};

    pick_entry(op, s, rng);
    if (rng_one_in(rng, 2))
        pick_entry(&other, s, rng);
    else
        pick_name(&other, s, rng);
    op->parent2 = other.parent;
    op->name2 = other.name;
    op->flags = flags[rng_below(rng, 5)];
}

static void make_create(struct op *op, const struct mstate *s, const struct op_run *run,
                        struct rng *rng)
{
    int entry;

    pick_name(op, s, rng);
    op->mode = 0600 | (uint32_t)rng_below(rng, 0200);
    op->slot = rng_one_in(rng, 2) ? free_slot(run) : -1;
    op->flags = O_RDWR | (rng_one_in(rng, 2) ? O_EXCL : 0) | (rng_one_in(rng, 4) ? O_TRUNC : 0) |
                (rng_one_in(rng, 8) ? O_DSYNC : 0);
    entry = mtree_find(s, op->parent, op->name);
    if (entry >= 0 && !S_ISREG(s->nodes[s->entries[entry].child]->mode) &&
        !S_ISDIR(s->nodes[s->entries[entry].child]->mode))
        op->flags |= O_EXCL; /* what is opened by that name the kernel decides */
}

static void make_xattr(struct op *op, const struct mstate *s, struct rng *rng)
{
    const struct mnode *node = s->nodes[op->node];
    static const unsigned flags[] = {0, 0, XATTR_CREATE, XATTR_REPLACE};
    int used = 0;

    op->flags = flags[rng_below(rng, 4)];
    op->xattr.name = 1 + (unsigned)rng_below(rng, 4);
    op->xattr.fill = (unsigned)rng_below(rng, 256);
    op->xattr.len = (unsigned)rng_below(rng, rng_one_in(rng, 8) ? 9000 : 100);
    for (int i = 0; i < MODEL_XATTRS; i++)
        used += node->xattrs[i].name != 0;
    if (used == MODEL_XATTRS)
        op->xattr.name = node->xattrs[rng_below(rng, MODEL_XATTRS)].name;
}

static void make_on_file(struct op *op, const struct mstate *s, const struct op_run *run,
                         struct rng *rng, size_t max_write)
{
    pick_file(op, s, run, rng);
    if (op->node < 0) {
        op->kind = OP_SYNC;
        return;
    }
    switch (op->kind) {
    case OP_OPEN:
        op->slot = free_slot(run);
        op->flags = O_RDWR | (rng_one_in(rng, 4) ? O_TRUNC : 0) | (rng_one_in(rng, 6) ? O_SYNC : 0);
        if (op->slot < 0)
            op->kind = OP_SYNC;
        break;
    case OP_WRITE:
        make_write(op, s, rng, max_write);
        break;
    case OP_TRUNCATE:
        op->len = some_size(s, op, rng);
        break;
    case OP_FALLOCATE:
        make_fallocate(op, rng);
        break;
    case OP_READ:
    case OP_SEEK:
        op->off = base_of(rng) + rng_below(rng, MODEL_STRETCH);
        op->len = 1 + rng_below(rng, 30000);
        op->flags = rng_one_in(rng, 2) ? SEEK_DATA : SEEK_HOLE;
        break;
    default:
        break;
    }
}

static void make_by_theme(struct op *op, const struct mstate *s, const struct op_run *run,
                          struct rng *rng, size_t max_write)
{
    uint64_t size;

    op->node = 0;
    for (int i = 1; i < MODEL_NODES && op->node == 0; i++)
        if (s->nodes[i] && S_ISREG(s->nodes[i]->mode) && mtree_links(s, i) > 0)
            op->node = i;
    if (op->node == 0) {
        op->kind = OP_CREATE;
        make_create(op, s, run, rng);
        return;
    }
    size = s->nodes[op->node]->size;
    if (run->theme == OP_THEME_LOG && rng_one_in(rng, 2) && size > 0) {
        op->kind = OP_TRUNCATE;
        op->len = size - 1 - rng_below(rng, pfs_min64(size, 40));
        return;
    }
    op->kind = OP_WRITE;
    if (run->theme == OP_THEME_LOG) {
        op->off = size < MODEL_STRETCH - 900 ? size : 0;
        op->len = 60 + rng_below(rng, 800);
        fill(op, rng, (unsigned)rng_below(rng, 6));
    } else {
        op->off = rng_below(rng, 8) * 8192;
        op->len = pfs_min64(8192, max_write);
        fill(op, rng, 2);
    }
}

void op_make(struct op *op, const struct mstate *s, const struct op_run *run, struct rng *rng,
             size_t max_write)
{
    unsigned char *bytes = op->bytes;

    *op = (struct op){.kind = pick_kind(rng), .slot = -1, .bytes = bytes};
    if (op->kind <= OP_LINK && !is_room(s))
        op->kind = OP_UNLINK;
    if (run->theme != OP_THEME_ALL && is_room(s) && !rng_one_in(rng, 4)) {
        make_by_theme(op, s, run, rng, max_write);
        return;
    }
    switch (op->kind) {
    case OP_CREATE:
        make_create(op, s, run, rng);
        break;
    case OP_MKDIR:
    case OP_SYMLINK:
    case OP_MKNOD:
        pick_name(op, s, rng);
        op->mode = 0700 | (uint32_t)rng_below(rng, 0100);
        break;
    case OP_LINK:
        pick_name(op, s, rng);
        op->node = pick_node(s, rng, rng_one_in(rng, 8) ? 0 : S_IFREG);
        if (op->node < 0)
            op->kind = OP_SYNC;
        break;
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_LOOKUP:
        pick_entry(op, s, rng);
        break;
    case OP_RENAME:
        make_rename(op, s, rng);
        break;
    case OP_CLOSE:
        op->slot = (int)rng_below(rng, OP_HANDLES);
        if (run->open_node[op->slot] < 0)
            op->kind = OP_FORGET;
        break;
    case OP_CHMOD:
    case OP_CHOWN:
    case OP_UTIME:
        op->node = pick_node(s, rng, 0);
        op->mode = (uint32_t)rng_below(rng, 010000);
        op->off = rng_below(rng, UINT64_C(1) << 61);
        break;
    case OP_SETXATTR:
    case OP_REMOVEXATTR:
        op->node = pick_node(s, rng, 0);
        make_xattr(op, s, rng);
        break;
    case OP_FSYNC:
        op->flags = rng_one_in(rng, 2); /* data only */
        pick_file(op, s, run, rng);
        if (op->node < 0 || rng_one_in(rng, 4)) {
            op->slot = -1;
            op->node = pick_node(s, rng, S_IFDIR);
        }
        break;
    case OP_SYNC:
    case OP_FLUSH:
    case OP_PREPARE:
    case OP_FORGET:
    case OP_KINDS:
        break;
    default:
        make_on_file(op, s, run, rng, max_write);
        break;
    }
}
