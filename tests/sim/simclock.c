#include "tests/sim/simclock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS UINT64_C(1000000000)

static _Atomic uint64_t now = UINT64_C(1700000000) * NS;

/* Stands before the C library's for all that is linked with it. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    (void)id;
    ts->tv_sec = (time_t)(now / NS);
    ts->tv_nsec = (long)(now % NS);
    return 0;
}

/* So does this: who sleeps has slept. */
int nanosleep(const struct timespec *request, struct timespec *left)
{
    (void)left;
    now += (uint64_t)request->tv_sec * NS + (uint64_t)request->tv_nsec;
    return 0;
}

void simclock_set(uint64_t ns)
{
    now = ns;
}

void simclock_advance(uint64_t ns)
{
    now += ns;
}

uint64_t simclock_now(void)
{
    return now;
}

uint64_t simclock_real(void)
{
    struct timespec ts = {0};

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}
