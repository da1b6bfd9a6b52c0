/* Time that stands still unless a simulation moves it: clock_gettime() of the whole program is
 * replaced, so that a seed decides the times in the journal as well. */
#ifndef PFS_TESTS_SIM_SIMCLOCK_H
#define PFS_TESTS_SIM_SIMCLOCK_H

#include <stdint.h>

void simclock_set(uint64_t ns);
void simclock_advance(uint64_t ns);
uint64_t simclock_now(void);

/* The machine's clock, monotonic: how long a simulation took. */
uint64_t simclock_real(void);

#endif
