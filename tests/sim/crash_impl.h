/* The inside of crash.c (seed and lives), crash_life.c (operations) and crash_recover.c. */
#ifndef PFS_TESTS_SIM_CRASH_IMPL_H
#define PFS_TESTS_SIM_CRASH_IMPL_H

#include <setjmp.h>

#include "tests/sim/crash.h"
#include "tests/sim/op.h"
#include "tests/sim/verify.h"

struct crash {
    const struct crash_options *options;
    struct crash_result *result;
    struct rng rng;
    struct pfs_io *io;
    struct pfs_store_config config;
    uint64_t name_seed;
    size_t max_write;
    unsigned char *bytes; /* of a write */

    struct pfs_store *store;
    struct op_run run;             /* also holds the tree */
    uint64_t ref_ino[MODEL_NODES]; /* inodes of run.refs */
    bool faulty;                   /* calls of the disk may fail in this life */

    struct mstate **states; /* by number; the last is how it is now */
    size_t n_states, cap_states;
    struct mstate *perhaps; /* after the operation that was interrupted, or NULL */
    uint64_t required;      /* number of the state that a sync has made safe */
    uint64_t max_ino;       /* of all states */

    int life, op;
    jmp_buf failed;
};

/* Ends the seed. */
void crash_fail(struct crash *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void crash_trace(const struct crash *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline struct mstate *crash_now(const struct crash *c)
{
    return c->states[c->n_states - 1];
}

void crash_push(struct crash *c, struct mstate *state); /* takes it over */

/* Operations until the power goes, the journal is poisoned or enough were done. */
void crash_live(struct crash *c);
bool crash_poisoned(const struct crash *c);
void crash_check_tree(struct crash *c);
void crash_check_history(struct crash *c);

/* Bring the disk back and open it; afterwards store and tree are there and the states end with
 * what was recovered. all: nothing may be missing, as after a kill. */
void crash_recover(struct crash *c, enum simdisk_cut cut, bool all);
void crash_open_tree(struct crash *c);

#endif
