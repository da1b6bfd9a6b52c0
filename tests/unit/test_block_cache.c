#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fs/pages/block_cache.h"

/* Makes blocks whose bytes say who they are. */
struct source {
    uint64_t owner;
    uint32_t len;
    atomic_uint loads;
    int fails; /* the error that loading ends with */
};

static unsigned char mark(uint64_t owner, uint32_t block_no)
{
    return (unsigned char)(owner * 31 + block_no * 7 + 1);
}

static int load(void *ctx, uint32_t block_no, unsigned char **data_out, uint32_t *len_out)
{
    struct source *s = ctx;

    atomic_fetch_add(&s->loads, 1);
    if (s->fails)
        return pfs_fail(s->fails, "the test wants it");
    *data_out = malloc(s->len);
    if (!*data_out)
        return PFS_ENOMEM;
    memset(*data_out, mark(s->owner, block_no), s->len);
    *len_out = s->len;
    return 0;
}

static struct pfs_block *get(struct pfs_block_cache *cache, struct source *s, uint32_t block_no)
{
    struct pfs_block *block;

    assert_int_equal(pfs_block_cache_get(cache, s->owner, block_no, load, s, &block), 0);
    assert_int_equal(block->owner, s->owner);
    assert_int_equal(block->block_no, block_no);
    assert_int_equal(block->len, s->len);
    assert_int_equal(block->data[0], mark(s->owner, block_no));
    assert_int_equal(block->data[s->len - 1], mark(s->owner, block_no));
    return block;
}

static void touch(struct pfs_block_cache *cache, struct source *s, uint32_t block_no)
{
    pfs_block_cache_put(cache, get(cache, s, block_no));
}

static struct pfs_block_cache *create(size_t max_bytes, struct source *s)
{
    struct pfs_block_cache *cache;

    assert_int_equal(pfs_block_cache_create(max_bytes, &cache), 0);
    *s = (struct source){.owner = pfs_block_cache_owner(cache), .len = 1000};
    return cache;
}

static void test_block_cache__loads_once(void **state)
{
    struct pfs_block_cache_stats stats;
    struct source s;
    struct pfs_block_cache *cache = create(64 << 20, &s);

    (void)state;
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 50; i++)
            touch(cache, &s, i);
    assert_int_equal(s.loads, 50);
    pfs_block_cache_stats(cache, &stats);
    assert_int_equal(stats.misses, 50);
    assert_int_equal(stats.hits, 100);
    assert_in_range(stats.bytes, 50 * 1000, 50 * 1200);
    pfs_block_cache_destroy(cache);
}

static void test_block_cache__stays_within_its_bound(void **state)
{
    struct pfs_block_cache_stats stats;
    struct source s;
    struct pfs_block_cache *cache = create(100000, &s);

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        touch(cache, &s, i);
        pfs_block_cache_stats(cache, &stats);
        assert_true(stats.bytes <= 100000);
    }
    assert_true(stats.bytes > 70000);
    pfs_block_cache_destroy(cache);
}

static void test_block_cache__oldest_goes_first(void **state)
{
    struct source s;
    struct pfs_block_cache *cache = create(200000, &s);

    (void)state;
    for (uint32_t i = 1; i < 2000; i++) {
        touch(cache, &s, i);
        touch(cache, &s, 0); /* always young */
    }
    assert_int_equal(s.loads, 2000);
    touch(cache, &s, 1999);
    assert_int_equal(s.loads, 2000);
    touch(cache, &s, 1);
    assert_int_equal(s.loads, 2001);
    pfs_block_cache_destroy(cache);
}

static void test_block_cache__pinned_blocks_stay(void **state)
{
    struct pfs_block_cache_stats stats;
    struct pfs_block *pinned[100], *again;
    struct source s;
    struct pfs_block_cache *cache = create(0, &s); /* holds nothing that isn't pinned */

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        pinned[i] = get(cache, &s, i);
    for (uint32_t i = 100; i < 200; i++)
        touch(cache, &s, i);
    for (uint32_t i = 0; i < 100; i++) {
        again = get(cache, &s, i);
        assert_ptr_equal(again, pinned[i]);
        pfs_block_cache_put(cache, again);
        assert_int_equal(pinned[i]->data[0], mark(s.owner, i));
    }
    assert_int_equal(s.loads, 200);
    for (uint32_t i = 0; i < 100; i++)
        pfs_block_cache_put(cache, pinned[i]);
    pfs_block_cache_stats(cache, &stats);
    assert_int_equal(stats.bytes, 0);
    pfs_block_cache_destroy(cache);
}

static void test_block_cache__drops_one_owner(void **state)
{
    struct source s, other;
    struct pfs_block_cache *cache = create(1 << 20, &s);

    (void)state;
    other = (struct source){.owner = pfs_block_cache_owner(cache), .len = 500};
    assert_int_not_equal(s.owner, other.owner);
    for (uint32_t i = 0; i < 100; i++) {
        touch(cache, &s, i);
        touch(cache, &other, i);
    }
    pfs_block_cache_drop(cache, s.owner);
    for (uint32_t i = 0; i < 100; i++)
        touch(cache, &other, i);
    assert_int_equal(other.loads, 100);
    touch(cache, &s, 5);
    assert_int_equal(s.loads, 101);
    pfs_block_cache_destroy(cache);
}

static void test_block_cache__failed_load_is_not_kept(void **state)
{
    struct pfs_block *block = NULL;
    struct source s;
    struct pfs_block_cache *cache = create(1 << 20, &s);

    (void)state;
    s.fails = PFS_ECORRUPT;
    assert_int_equal(pfs_block_cache_get(cache, s.owner, 1, load, &s, &block), PFS_ECORRUPT);
    assert_null(block);
    s.fails = 0;
    touch(cache, &s, 1);
    assert_int_equal(s.loads, 2);
    pfs_block_cache_destroy(cache);
}

struct worker {
    struct pfs_block_cache *cache;
    struct source sources[2];
    unsigned seed;
    unsigned wrong;
};

/* Many threads on few blocks in a cache too small for them, holding some; each drops an owner of
 * its own now and then. */
static void *work(void *arg)
{
    struct worker *w = arg;
    struct pfs_block *held[4] = {0};

    for (unsigned i = 0; i < 20000; i++) {
        unsigned r = (w->seed = w->seed * 1103515245 + 12345) >> 8;
        struct source *s = &w->sources[r % 2];
        struct pfs_block **slot = &held[r / 2 % 4];
        uint32_t block_no = r / 8 % 60;

        if (*slot)
            pfs_block_cache_put(w->cache, *slot);
        *slot = NULL;
        if (pfs_block_cache_get(w->cache, s->owner, block_no, load, s, slot) ||
            (*slot)->data[r % s->len] != mark(s->owner, block_no))
            w->wrong++;
        if (i % 500 != 0)
            continue;
        for (int h = 0; h < 4; h++) {
            if (held[h])
                pfs_block_cache_put(w->cache, held[h]);
            held[h] = NULL;
        }
        pfs_block_cache_drop(w->cache, w->sources[1].owner);
    }
    for (int h = 0; h < 4; h++)
        if (held[h])
            pfs_block_cache_put(w->cache, held[h]);
    return NULL;
}

static void test_block_cache__threads_see_right_blocks(void **state)
{
    struct pfs_block_cache_stats stats;
    struct worker workers[6];
    pthread_t threads[6];
    struct source s;
    struct pfs_block_cache *cache = create(60000, &s);

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        workers[i] = (struct worker){.cache = cache, .seed = i};
        workers[i].sources[0] = (struct source){.owner = s.owner, .len = 1000};
        workers[i].sources[1] =
            (struct source){.owner = pfs_block_cache_owner(cache), .len = 100 + i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    pfs_block_cache_stats(cache, &stats);
    assert_int_equal(stats.hits + stats.misses, 6 * 20000);
    assert_true(stats.bytes <= 60000);
    pfs_block_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_cache__loads_once),
        cmocka_unit_test(test_block_cache__stays_within_its_bound),
        cmocka_unit_test(test_block_cache__oldest_goes_first),
        cmocka_unit_test(test_block_cache__pinned_blocks_stay),
        cmocka_unit_test(test_block_cache__drops_one_owner),
        cmocka_unit_test(test_block_cache__failed_load_is_not_kept),
        cmocka_unit_test(test_block_cache__threads_see_right_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
