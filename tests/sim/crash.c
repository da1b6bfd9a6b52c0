#include "tests/sim/crash.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/sim/crash_impl.h"
#include "tests/sim/simclock.h"
#include "tests/sim/simdisk_impl.h"

void crash_fail(struct crash *c, const char *fmt, ...)
{
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(c->result->failure, sizeof(c->result->failure),
             "seed %" PRIu64 ", life %d, operation %d: %s", c->options->seed, c->life, c->op, text);
    longjmp(c->failed, 1);
}

void crash_trace(const struct crash *c, const char *fmt, ...)
{
    va_list ap;

    if (!c->options->trace)
        return;
    fprintf(stderr, "%d.%d ", c->life, c->op);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void crash_push(struct crash *c, struct mstate *state)
{
    if (c->n_states == c->cap_states) {
        c->cap_states = c->cap_states ? 2 * c->cap_states : 256;
        c->states = sim_need(realloc(c->states, c->cap_states * sizeof(*c->states)));
    }
    c->states[c->n_states++] = state;
}

/* --- ends of lives ---------------------------------------------------------------------------- */

static void let_go(struct crash *c)
{
    for (int i = 0; i < OP_HANDLES; i++)
        if (c->run.open_node[i] >= 0)
            pfs_tree_release(c->run.tree, c->run.handles[i]);
    pfs_tree_close(c->run.tree);
    c->run.tree = NULL;
}

/* Nothing reaches the disk any more. */
static void end_suddenly(struct crash *c)
{
    struct pfs_store_stats stats;

    pfs_store_stats(c->store, &stats);
    c->result->flushes += stats.flushes;
    simdisk_power_off(c->io);
    let_go(c);
    pfs_store_abandon(c->store);
    c->store = NULL;
}

/* As umount does. True if it says that all is safe. */
static bool end_cleanly(struct crash *c)
{
    int err;

    let_go(c);
    err = pfs_store_close(c->store);
    c->store = NULL;
    crash_trace(c, "closed: %s", pfs_err_name(err));
    if (err && !c->faulty && !simdisk_is_off(c->io))
        crash_fail(c, "cannot be closed: %s: %s", pfs_err_name(err), pfs_err_message());
    return !err;
}

static void end_life(struct crash *c)
{
    enum simdisk_cut cut = rng_one_in(&c->rng, 3) ? SIMDISK_KILL : SIMDISK_POWER;
    bool poisoned = crash_poisoned(c), all = cut == SIMDISK_KILL && !poisoned;

    if (!simdisk_is_off(c->io) && rng_one_in(&c->rng, 4)) {
        if (end_cleanly(c)) {
            c->required = crash_now(c)->number;
            all = true;
        } else {
            all = false; /* the sync may have failed */
        }
        simdisk_power_off(c->io);
    } else {
        end_suddenly(c);
    }
    simdisk_heal(c->io);
    simdisk_set_full(c->io, false);
    crash_trace(c, "---- %s%s", cut == SIMDISK_KILL ? "kill" : "power cut",
                poisoned ? ", poisoned" : "");
    crash_recover(c, cut, all);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void configure(struct crash *c)
{
    struct rng *rng = &c->rng;

    c->config = (struct pfs_store_config){.io = c->io,
                                          .dir = "branches/1",
                                          .branch_id = 1,
                                          .page_size = UINT32_C(4096) << rng_below(rng, 3),
                                          .memtable_bytes = (size_t)1 << 20,
                                          .cache_bytes = (size_t)64 << 10,
                                          .segment_bytes = UINT32_C(65536) << rng_below(rng, 4)};
    memset(c->config.uuid, (int)rng_below(rng, 256), sizeof(c->config.uuid));
    c->config.flush_journal_bytes = UINT64_C(20000) << rng_below(rng, 5);
    c->max_write = c->config.segment_bytes / 2;
    c->name_seed = rng_next(rng);
}

static void make_volume(struct crash *c)
{
    const struct pfs_io_ops *ops = c->io->ops;

    if (ops->mkdir(c->io, "branches") || ops->mkdir(c->io, "branches/1") ||
        pfs_store_create(&c->config) || ops->sync_dir(c->io, "branches/1") ||
        ops->sync_dir(c->io, "branches") || ops->sync_dir(c->io, ".") ||
        pfs_store_open(&c->config, &c->store))
        crash_fail(c, "cannot be made: %s", pfs_err_message());
    crash_push(c, mtree_create());
    crash_open_tree(c);
    crash_now(c)->from = crash_now(c)->until = pfs_store_head(c->store);
    c->max_ino = PFS_ROOT_INO;
}

static void clean_up(struct crash *c)
{
    while (c->n_states > 0)
        mtree_put(c->states[--c->n_states]);
    if (c->perhaps)
        mtree_put(c->perhaps);
    free(c->states);
    free(c->bytes);
    c->io->ops->destroy(c->io);
}

void crash_run(const struct crash_options *options, struct crash_result *result)
{
    struct crash *c = sim_need(calloc(1, sizeof(*c)));
    int lives;

    pfs_log_set_level((enum pfs_log_level)(options->trace ? PFS_LOG_INFO : -1));
    simclock_set(UINT64_C(1700000000000000000) + options->seed % 1000 * UINT64_C(7000000));
    c->options = options;
    c->result = result;
    c->rng = rng_make(options->seed);
    c->io = simdisk_create(rng_next(&c->rng), options->plant);
    c->bytes = sim_need(malloc(OP_WRITE_MAX));
    simdisk_trace(c->io, options->trace > 1);
    result->failure[0] = '\0';
    if (setjmp(c->failed)) /* what was open stays: a failed seed ends the program or is a plant's */
        return;
    configure(c);
    make_volume(c);
    lives = 1 + (int)rng_below(&c->rng, 8);
    for (c->life = 1; c->life <= lives; c->life++) {
        crash_live(c);
        end_life(c);
        result->lives++;
    }
    result->calls += simdisk_calls(c->io);
    end_suddenly(c);
    simdisk_power_on(c->io, SIMDISK_KILL);
    clean_up(c);
    free(c);
}
