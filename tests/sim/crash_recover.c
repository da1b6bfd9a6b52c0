#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/store_impl.h"
#include "tests/sim/crash_impl.h"

/* Is the store at its head what state says? */
static bool matches(struct crash *c, const struct mstate *state, struct verify *v)
{
    int err = verify_store(c->store, pfs_store_head(c->store), state, v);

    if (err)
        crash_fail(c, "recovered: cannot be read: %s: %s", pfs_err_name(err), pfs_err_message());
    return !v->why[0];
}

/* The state that the head's LSN belongs to. */
static struct mstate *find_state(struct crash *c, struct verify *v)
{
    pfs_lsn head = pfs_store_head(c->store);
    size_t i = c->n_states, first;
    struct mstate *next;
    char why[sizeof(v->why)];

    while (i > 0 && c->states[i - 1]->from > head)
        i--;
    first = i;
    if (i == 0)
        crash_fail(c, "recovered: head %s is before everything", pfs_lsn_print(head).s);
    next = i < c->n_states ? c->states[i] : c->perhaps;
    if (matches(c, c->states[i - 1], v))
        return c->states[i - 1];
    memcpy(why, v->why, sizeof(why));
    /* A record that found no space may have left the end of its segment filled; if a power cut
     * takes what was then written over that, the head is behind LSNs which were not kept. */
    while (c->faulty && pfs_segment_offset(&c->store->segment_id, head) == 0 && --i > c->required)
        if (matches(c, c->states[i - 1], v))
            return c->states[i - 1];
    i = first;
    /* Inside an operation of several records, or the interrupted one. */
    if (head > c->states[i - 1]->until && next && matches(c, next, v))
        return next;
    crash_fail(c,
               "recovered: head %s belongs to state %" PRIu64 " (%s to %s), but: %s; and as "
               "interrupted: %s",
               pfs_lsn_print(head).s, c->states[i - 1]->number,
               pfs_lsn_print(c->states[i - 1]->from).s, pfs_lsn_print(c->states[i - 1]->until).s,
               why, v->why);
}

/* From now on it is the last one: without open files, with the times that were journaled. */
static void adopt(struct crash *c, struct mstate *found, const struct verify *v)
{
    struct mstate *s = mtree_copy(found);

    s->number = found->number;
    mtree_drop_orphans(s);
    for (int i = 0; i < MODEL_NODES; i++)
        if (s->nodes[i]) {
            struct mnode *n = mtree_edit(s, i);

            n->ino = v->ino[i];
            n->mtime_ns = v->mtime[i];
        }
    s->until = pfs_store_head(c->store);
    if (s->from > s->until || found == c->perhaps)
        s->from = s->until;
    while (c->n_states > s->number)
        mtree_put(c->states[--c->n_states]);
    crash_push(c, s);
    if (c->perhaps)
        mtree_put(c->perhaps);
    c->perhaps = NULL;
    c->required = s->number;
    c->max_ino = 0;
    for (size_t i = 0; i < c->n_states; i++)
        for (int k = 0; k < MODEL_NODES; k++)
            if (c->states[i]->nodes[k] && c->states[i]->nodes[k]->ino > c->max_ino)
                c->max_ino = c->states[i]->nodes[k]->ino;
}

static void damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    struct crash *c = ctx;

    crash_fail(c, "verify: %s: offset %" PRIu64 ": %s", file, offset, text);
}

static void fault(void *ctx, const char *text)
{
    crash_fail(ctx, "check: %s", text);
}

/* What a reader sees who may not write is the same, and the disk stays as it is. */
static void look_only(struct crash *c)
{
    struct verify v;
    int err;

    c->config.readonly = true;
    err = pfs_store_open(&c->config, &c->store);
    c->config.readonly = false;
    if (err)
        crash_fail(c, "cannot be opened to read: %s: %s", pfs_err_name(err), pfs_err_message());
    (void)find_state(c, &v);
    if (pfs_store_close(c->store))
        crash_fail(c, "closing after reading: %s", pfs_err_message());
    c->store = NULL;
}

/* Open the store. False: something of the disk failed, or the power went. */
static bool try_open(struct crash *c, bool may_fail)
{
    int err = pfs_store_open(&c->config, &c->store);

    if (!err)
        return true;
    c->store = NULL;
    crash_trace(c, "opening fails: %s", pfs_err_message());
    if (!may_fail || (err != PFS_EIO && err != PFS_ENOSPC))
        crash_fail(c, "cannot be opened: %s: %s", pfs_err_name(err), pfs_err_message());
    return false;
}

/* Opening, too, may be interrupted, or find the disk failing, and is then done again. */
static void open_store(struct crash *c, bool *all)
{
    struct rng *rng = &c->rng;

    while (rng_one_in(rng, 3)) {
        bool faults = rng_one_in(rng, 2);

        simdisk_cut_at(c->io, faults ? 0 : 1 + (unsigned)rng_below(rng, 60));
        for (int fault = 0; faults && fault < SIMDISK_FAULTS; fault++)
            simdisk_fail(c->io, (enum simdisk_fault)fault, 10 + (unsigned)rng_below(rng, 40));
        if (try_open(c, true) && !simdisk_is_off(c->io))
            break;
        if (c->store) {
            pfs_store_abandon(c->store);
            c->store = NULL;
        }
        simdisk_heal(c->io);
        if (simdisk_is_off(c->io) && rng_one_in(rng, 2)) {
            crash_trace(c, "the power goes while opening");
            simdisk_power_on(c->io, SIMDISK_POWER);
            *all = false;
        } else if (simdisk_is_off(c->io)) {
            simdisk_power_on(c->io, SIMDISK_KILL);
        } else {
            *all = false; /* a failed sync may have dropped something */
        }
    }
    simdisk_cut_at(c->io, 0);
    simdisk_heal(c->io);
    if (!c->store)
        (void)try_open(c, false);
}

void crash_open_tree(struct crash *c)
{
    struct pfs_tree_config config = {
        .store = c->store, .branch_id = c->config.branch_id, .name_seed = c->name_seed};
    int err;

    memset(&c->run, 0, sizeof(c->run));
    for (int i = 0; i < OP_HANDLES; i++)
        c->run.open_node[i] = -1;
    c->run.store = c->store;
    err = pfs_tree_open(&config, &c->run.tree);
    if (err)
        crash_fail(c, "the tree cannot be opened: %s: %s", pfs_err_name(err), pfs_err_message());
}

void crash_recover(struct crash *c, enum simdisk_cut cut, bool all)
{
    const struct pfs_tree_check_cb cb = {.fault = fault, .ctx = c};
    struct pfs_tree_check_stats stats;
    struct mstate *found;
    struct verify v;

    simdisk_power_on(c->io, cut);
    if (rng_one_in(&c->rng, 8))
        look_only(c);
    open_store(c, &all);
    found = find_state(c, &v);
    crash_trace(c, "recovered head %s: state %" PRIu64 " of %" PRIu64 ", required %" PRIu64,
                pfs_lsn_print(pfs_store_head(c->store)).s, found->number, crash_now(c)->number,
                c->required);
    if (found->number < c->required)
        crash_fail(c, "recovered: state %" PRIu64 ", but %" PRIu64 " had been synced",
                   found->number, c->required);
    if (all && found->number < crash_now(c)->number)
        crash_fail(c, "recovered: state %" PRIu64 ", but nothing after %" PRIu64 " may be missing",
                   found->number, crash_now(c)->number);
    adopt(c, found, &v);
    if (rng_one_in(&c->rng, 6) && pfs_store_verify(c->store, damage, c))
        crash_fail(c, "verify: %s", pfs_err_message());
    crash_open_tree(c);
    if (rng_one_in(&c->rng, 6) && pfs_tree_check(c->store, c->name_seed, &cb, &stats))
        crash_fail(c, "check: %s", pfs_err_message());
    if (rng_one_in(&c->rng, 2))
        crash_check_tree(c);
    if (rng_one_in(&c->rng, 3))
        crash_check_history(c);
}
