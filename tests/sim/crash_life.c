#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/store_impl.h"
#include "tests/sim/crash_impl.h"
#include "tests/sim/simclock.h"

#define MS UINT64_C(1000000)

bool crash_poisoned(const struct crash *c)
{
    return pfs_journal_poisoned(c->store->journal);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* An error of a check is one of the disk, or a failure. */
static void judge(struct crash *c, const char *what, int err, const struct verify *v)
{
    if (err && (simdisk_is_off(c->io) || (c->faulty && err == PFS_EIO)))
        return;
    if (err == PFS_ECORRUPT && crash_poisoned(c)) /* bytes that a failed sync has dropped */
        return;
    if (err)
        crash_fail(c, "%s: %s: %s", what, pfs_err_name(err), pfs_err_message());
    if (v->why[0])
        crash_fail(c, "%s: %s", what, v->why);
}

void crash_check_tree(struct crash *c)
{
    struct verify v;
    int err = verify_tree(c->run.tree, crash_now(c), c->faulty, &v); /* times may find no space */

    judge(c, "the tree", err, &v);
}

void crash_check_history(struct crash *c)
{
    const struct mstate *s = c->states[rng_below(&c->rng, c->n_states)];
    struct verify v;
    char what[64];
    pfs_lsn lsn;
    int err;

    if (s == crash_now(c))
        return;
    lsn = s->from + rng_below(&c->rng, s->until - s->from + 1);
    snprintf(what, sizeof(what), "state %" PRIu64 " at LSN %s", s->number, pfs_lsn_print(lsn).s);
    err = verify_store(c->store, lsn, s, &v);
    judge(c, what, err, &v);
    c->result->history_reads++;
}

/* --- one operation ---------------------------------------------------------------------------- */

static void forget(struct crash *c, int node)
{
    if (c->run.refs[node] > 0)
        pfs_tree_forget(c->run.tree, c->ref_ino[node], c->run.refs[node]);
    c->run.refs[node] = 0;
}

/* The kernel was told of an inode. */
static void refer(struct crash *c, const struct op *op, struct mstate *after)
{
    int node = after->entries[mtree_find(after, op->parent, op->name)].child;
    uint64_t ino = after->nodes[node]->ino;

    if (ino == 0) { /* just made */
        if (c->run.new_ino <= c->max_ino)
            crash_fail(c, "inode %" PRIu64 " is used again", c->run.new_ino);
        c->max_ino = ino = c->run.new_ino;
        after->nodes[node]->ino = ino;
    }
    if (ino != c->run.new_ino)
        crash_fail(c, "#%d is inode %" PRIu64 ", not %" PRIu64, node, c->run.new_ino, ino);
    c->run.refs[node]++;
    c->ref_ino[node] = ino;
}

static void forget_the_gone(struct crash *c, const struct mstate *after)
{
    for (int i = 0; i < MODEL_NODES; i++)
        if (c->run.refs[i] > 0 && (!after->nodes[i] || after->nodes[i]->ino != c->ref_ino[i]))
            forget(c, i);
}

/* What this operation's success makes safe. */
static void note_sync(struct crash *c, const struct op *op)
{
    const struct mstate *now = crash_now(c);
    uint64_t safe = 0;

    if (op->kind == OP_FSYNC)
        safe = now->nodes[op->node]->changed;
    else if (op->kind == OP_SYNC || op->kind == OP_FLUSH ||
             (op->kind == OP_WRITE && op->slot >= 0 && c->run.sync_writes[op->slot]))
        safe = now->number;
    if (safe > c->required)
        c->required = safe;
}

static void succeed(struct crash *c, const struct op *op, struct mstate *after)
{
    if (c->run.new_ino)
        refer(c, op, after);
    if (op->kind == OP_FORGET)
        forget(c, (int)rng_below(&c->rng, MODEL_NODES));
    forget_the_gone(c, after);
    if (after != crash_now(c)) {
        after->from = pfs_store_head(c->store);
        after->until = after->from;
        crash_push(c, after);
    } else {
        mtree_put(after);
    }
    note_sync(c, op);
}

/* Neither what was expected nor a plain success: the disk must be to blame. */
static void not_as_expected(struct crash *c, const char *what, int err, int expected)
{
    bool blame = c->faulty && (err == PFS_EIO || err == PFS_ENOSPC);

    if (crash_poisoned(c) && (err == PFS_EIO || err == PFS_ECORRUPT))
        blame = true;
    if (!blame)
        crash_fail(c, "%s: %s (%s), but it should have been %s", what, pfs_err_name(err),
                   err ? pfs_err_message() : "", pfs_err_name(expected));
}

/* False: this life is over. */
static bool step(struct crash *c)
{
    struct mstate *now = crash_now(c), *after;
    struct op op = {.bytes = c->bytes};
    char what[300];
    int expected, err;

    op_make(&op, now, &c->run, &c->rng, c->max_write);
    op_print(&op, what, sizeof(what));
    expected = op_apply(&op, now, &c->run, &after);
    now->until = pfs_store_head(c->store);
    crash_trace(c, "%s", what);
    err = op_execute(&op, now, &c->run);
    c->result->ops++;
    crash_trace(c, "  %s, head %s", pfs_err_name(err), pfs_lsn_print(pfs_store_head(c->store)).s);
    if (c->run.wrong[0])
        crash_fail(c, "%s: %s", what, c->run.wrong);
    if (simdisk_is_off(c->io) || (err && crash_poisoned(c))) {
        if (!simdisk_is_off(c->io) && err != expected)
            not_as_expected(c, what, err, expected);
        if (after != now)
            c->perhaps = after;
        else
            mtree_put(after);
        return false;
    }
    if (err == expected && !err) {
        succeed(c, &op, after);
    } else {
        if (err != expected)
            not_as_expected(c, what, err, expected);
        mtree_put(after);
    }
    return true;
}

/* --- a life ----------------------------------------------------------------------------------- */

/* What the disk will do in this life. */
static void plan_faults(struct crash *c)
{
    struct rng *rng = &c->rng;

    c->faulty = false;
    simdisk_heal(c->io);
    simdisk_cut_at(c->io, rng_one_in(rng, 3) ? 0 : 1 + (unsigned)rng_below(rng, 300));
    if (!rng_one_in(rng, 3))
        return;
    c->faulty = true;
    for (int fault = 0; fault < SIMDISK_FAULTS; fault++)
        if (rng_one_in(rng, 3))
            simdisk_fail(c->io, (enum simdisk_fault)fault, 5 + (unsigned)rng_below(rng, 200));
}

void crash_live(struct crash *c)
{
    struct rng *rng = &c->rng;
    int ops = (int)rng_below(rng, rng_one_in(rng, 4) ? 8 : 90);
    int full_from = rng_one_in(rng, 4) ? (int)rng_below(rng, 60) : -1, full_to = full_from + 20;

    plan_faults(c);
    if (rng_one_in(rng, 4))
        c->run.theme = (enum op_theme)rng_below(rng, OP_THEMES);
    if (c->run.theme == OP_THEME_PAGES) /* records of one length begin many a life */
        ops = (int)rng_below(rng, 6);
    for (c->op = 0; c->op < ops; c->op++) {
        if (c->op == full_from || c->op == full_to) {
            simdisk_set_full(c->io, c->op == full_from);
            c->faulty = true; /* what fails now may show a while */
        }
        simclock_advance(rng_one_in(rng, 20) ? rng_below(rng, 3000) * MS : rng_below(rng, 20) * MS);
        if (!step(c))
            break;
        if (rng_one_in(rng, 40))
            crash_check_tree(c);
        if (rng_one_in(rng, 30))
            crash_check_history(c);
    }
    if (!simdisk_is_off(c->io) && !c->perhaps)
        crash_now(c)->until = pfs_store_head(c->store);
}
