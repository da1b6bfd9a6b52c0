/* Random numbers that a seed decides: xorshift64*, seeded through splitmix64. */
#ifndef PFS_TESTS_SIM_RNG_H
#define PFS_TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline struct rng rng_make(uint64_t seed)
{
    uint64_t z = seed + UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (struct rng){z ? z : 1};
}

static inline uint64_t rng_next(struct rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* Below n, which isn't 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return (rng_next(r) >> 11) % n;
}

/* True once in n times; never for 0. */
static inline bool rng_one_in(struct rng *r, uint64_t n)
{
    return n > 0 && rng_below(r, n) == 0;
}

#endif
