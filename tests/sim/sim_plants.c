/* Can the crash simulation fail? On each disk with a planted fault it must, within a number of
 * seeds; and it must not on the honest one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/crash.h"

#define SEEDS 500

/* In a process of its own, for what is found may end it. Exit code 1: found. */
static void run_seeds(enum simdisk_plant plant, int fd)
{
    struct crash_result result = {0};

    if (!freopen("/dev/null", "w", stderr)) /* of assertions that fail */
        _exit(2);
    for (uint64_t seed = 1; seed <= SEEDS && !result.failure[0]; seed++) {
        struct crash_options options = {.seed = seed, .plant = plant};

        if (write(fd, &seed, sizeof(seed)) != sizeof(seed))
            _exit(2);
        crash_run(&options, &result);
    }
    if (result.failure[0])
        printf("# %s: %s\n", simdisk_plant_name(plant), result.failure);
    fflush(stdout);
    _exit(result.failure[0] != 0);
}

/* Returns the seed that showed it, or 0. */
static uint64_t find(enum simdisk_plant plant)
{
    uint64_t seed = 0, next;
    int fds[2], status;
    pid_t pid;

    fflush(stdout);
    if (pipe(fds) || (pid = fork()) < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        close(fds[0]);
        run_seeds(plant, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &next, sizeof(next)) == sizeof(next))
        seed = next;
    close(fds[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : seed;
}

int main(void)
{
    int failed = 0;

    printf("1..%d\n", SIMDISK_PLANTS);
    for (int i = 0; i < SIMDISK_PLANTS; i++) {
        enum simdisk_plant plant = (enum simdisk_plant)i;
        uint64_t seed = find(plant);
        bool good = (plant == SIMDISK_HONEST) == (seed == 0);

        failed += !good;
        if (seed)
            printf("%sok %d - %s: found at seed %" PRIu64 "\n", good ? "" : "not ", i + 1,
                   simdisk_plant_name(plant), seed);
        else
            printf("%sok %d - %s: nothing found in %d seeds\n", good ? "" : "not ", i + 1,
                   simdisk_plant_name(plant), SEEDS);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
