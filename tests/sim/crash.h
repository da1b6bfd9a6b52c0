/* One seed of the crash simulation: a history of operations on a tree, cut into lives by power
 * cuts, kills, failing disks and clean ends, and after each what must be true:
 *
 *   - what is recovered is the state after some operation, the one the recovered LSN belongs to
 *     (contract 1), whatever sectors, sizes and names the power cut kept;
 *   - that operation is no earlier than what the last successful sync covered (contract 3); after a
 *     kill nothing at all is missing (contract 2);
 *   - every earlier state can still be read at its LSNs (contract 6);
 *   - nothing is damaged and nothing of a life that was forgotten comes back;
 *   - an operation that found no space has changed nothing. */
#ifndef PFS_TESTS_SIM_CRASH_H
#define PFS_TESTS_SIM_CRASH_H

#include "tests/sim/simdisk.h"

struct crash_options {
    uint64_t seed;
    enum simdisk_plant plant;
    int trace; /* 1: operations, 2: also what the disk does */
};

struct crash_result {
    char failure[1024]; /* empty: none */
    uint64_t lives, ops, calls, flushes, history_reads;
};

/* The counters are added to. */
void crash_run(const struct crash_options *options, struct crash_result *result);

#endif
