/* The clocks, in nanoseconds. */
#ifndef PFS_BASE_CLOCK_H
#define PFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define PFS_NS_PER_S UINT64_C(1000000000)

static inline uint64_t pfs_clock_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * PFS_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Wall time since 1970: file times and the journal's marks. */
static inline uint64_t pfs_wall_ns(void)
{
    return pfs_clock_ns(CLOCK_REALTIME);
}

/* Time that never goes backwards: timeouts and intervals. */
static inline uint64_t pfs_mono_ns(void)
{
    return pfs_clock_ns(CLOCK_MONOTONIC);
}

#endif
