/* Power cuts, kills and failing disks under the journal, the store and the tree: crash.h says what
 * must hold.
 *
 *     SEEDS=n      so many seeds                      (default: as many as SIM_SECONDS allow)
 *     SIM_SECONDS  seconds to spend                   (default: 30)
 *     SEED_BASE=n  the first seed                     (default: 1)
 *     SEED=n       that one only, with a trace of its operations; TRACE=2: of the disk as well
 *     PLANT=name   on a disk with that fault: the simulation must fail */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/crash.h"
#include "tests/sim/simclock.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static enum simdisk_plant plant(void)
{
    const char *name = getenv("PLANT");

    if (!name || !*name)
        return SIMDISK_HONEST;
    for (int i = 0; i < SIMDISK_PLANTS; i++)
        if (strcmp(name, simdisk_plant_name((enum simdisk_plant)i)) == 0)
            return (enum simdisk_plant)i;
    printf("Bail out! There is no PLANT=%s\n", name);
    exit(2);
}

static volatile uint64_t at_seed;

#define SEED_SECONDS 300 /* no seed takes so long but one that hangs */

/* An assertion of the product failed, or worse. */
static void on_crash(int signal)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "# replay with SEED=%" PRIu64 "\n", at_seed);

    (void)!write(STDOUT_FILENO, text, (size_t)len);
    (void)!raise(signal);
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    struct crash_options options = {.plant = plant()};
    struct crash_result result = {0};
    uint64_t seeds = number("SEEDS", 0), budget = number("SIM_SECONDS", 30) * UINT64_C(1000000000);
    uint64_t started = simclock_real(), done = 0, took;

    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    sigaction(SIGABRT, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    options.seed = number("SEED_BASE", 1);
    if (getenv("SEED")) {
        options.seed = number("SEED", 1);
        options.trace = (int)number("TRACE", 1);
        seeds = 1;
    }
    for (; !result.failure[0] && (seeds ? done < seeds : simclock_real() - started < budget);
         done++, options.seed++) {
        at_seed = options.seed;
        alarm(SEED_SECONDS);
        crash_run(&options, &result);
    }
    took = (simclock_real() - started) / 1000000 + 1;
    printf("# %" PRIu64 " seeds in %" PRIu64 " ms: %" PRIu64 " a second; %" PRIu64
           " lives, %" PRIu64 " operations, %" PRIu64 " calls of the disk, %" PRIu64
           " flushes, %" PRIu64 " looks at old LSNs\n",
           done, took, done * 1000 / took, result.lives, result.ops, result.calls, result.flushes,
           result.history_reads);
    if (result.failure[0])
        printf("# %s\n# replay with SEED=%" PRIu64 "\n", result.failure, options.seed - 1);
    printf("%sok 1 - what was synced survives, and nothing else is there\n1..1\n",
           result.failure[0] ? "not " : "");
    return result.failure[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}
