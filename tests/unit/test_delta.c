/* Page deltas, and the memory of recent pages that they are made against. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fs/pages/delta.h"
#include "fs/tree/recent.h"
#include "tests/sim/rng.h"

#define PAGE 8192

static unsigned char old_page[PAGE], new_page[PAGE], delta[2 * PAGE];

static void assert_makes_new(size_t len)
{
    unsigned char page[PAGE];

    memcpy(page, old_page, PAGE);
    assert_int_equal(pfs_delta_apply(page, PAGE, delta, len), 0);
    assert_memory_equal(page, new_page, PAGE);
}

static void test_delta__equal_pages_give_one_empty_range(void **state)
{
    size_t len;

    (void)state;
    memset(old_page, 7, PAGE);
    memcpy(new_page, old_page, PAGE);
    len = pfs_delta_encode(old_page, new_page, PAGE, delta, sizeof(delta));
    assert_int_equal(len, 4);
    assert_makes_new(len);
    assert_int_equal(pfs_delta_encode(old_page, new_page, PAGE, delta, 3), 0);
}

/* One byte, wherever it stands. */
static void test_delta__one_byte(void **state)
{
    (void)state;
    for (size_t at = 0; at < PAGE; at++) {
        size_t len;

        memset(old_page, 0, PAGE);
        memcpy(new_page, old_page, PAGE);
        new_page[at] = 1;
        len = pfs_delta_encode(old_page, new_page, PAGE, delta, sizeof(delta));
        assert_int_equal(len, 5);
        assert_int_equal(pfs_get16(delta), at);
        assert_makes_new(len);
    }
}

static void test_delta__near_ranges_are_joined_far_ones_are_not(void **state)
{
    (void)state;
    memset(old_page, 0, PAGE);
    for (size_t gap = 1; gap < 100; gap++) {
        size_t len;

        memset(new_page, 0, PAGE);
        new_page[100] = new_page[101 + gap] = 1;
        len = pfs_delta_encode(old_page, new_page, PAGE, delta, sizeof(delta));
        assert_makes_new(len);
        assert_true(len <= 4 + 2 + gap || len == 10);
    }
}

static void test_delta__any_two_pages(void **state)
{
    struct rng rng = rng_make(1);

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t cap = rng_below(&rng, PAGE), len;

        for (size_t i = 0; i < PAGE; i += 8)
            pfs_put64(old_page + i, rng_next(&rng));
        memcpy(new_page, old_page, PAGE);
        for (uint64_t n = rng_below(&rng, 40); n > 0; n--) {
            size_t at = rng_below(&rng, PAGE);

            for (size_t k = rng_below(&rng, 60); k > 0 && at < PAGE; k--)
                new_page[at++] ^= (unsigned char)rng_next(&rng);
        }
        len = pfs_delta_encode(old_page, new_page, PAGE, delta, cap);
        assert_true(len <= cap);
        if (len > 0)
            assert_makes_new(len);
        len = pfs_delta_encode(old_page, new_page, PAGE, delta, sizeof(delta));
        assert_true(len > 0);
        assert_makes_new(len);
    }
}

/* A page of 64 KiB that is new from end to end doesn't fit one range. */
static void test_delta__the_largest_page(void **state)
{
    size_t size = 65536, len;
    unsigned char *x = calloc(1, size), *y = malloc(size), *d = malloc(2 * size);

    (void)state;
    assert_true(x && y && d);
    memset(y, 1, size);
    len = pfs_delta_encode(x, y, size, d, 2 * size);
    if (len > 0) {
        assert_int_equal(pfs_delta_apply(x, size, d, len), 0);
        assert_memory_equal(x, y, size);
    }
    memset(x, 1, size);
    x[size - 1] = 2;
    len = pfs_delta_encode(x, y, size, d, 2 * size);
    assert_int_equal(len, 5);
    assert_int_equal(pfs_delta_apply(x, size, d, len), 0);
    assert_memory_equal(x, y, size);
    free(x);
    free(y);
    free(d);
}

static void test_delta__what_reaches_outside_is_damage(void **state)
{
    static const struct {
        unsigned char bytes[8];
        size_t len;
    } bad[] = {
        {{0}, 1},                                 /* no whole header */
        {{0, 0, 1}, 3},                           /* nor here */
        {{0, 0, 2, 0, 9}, 5},                     /* fewer bytes than it says */
        {{0xff, 0x1f, 2, 0, 9, 9}, 6},            /* past the end of the page */
        {{0, 0x20, 1, 0, 9}, 5},                  /* behind it */
        {{0, 0, 1, 0, 9, 0, 0}, 7},               /* something behind a good range */
        {{0xff, 0xff, 0xff, 0xff, 9, 9, 9, 9}, 8} /* all of it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pfs_delta_apply(new_page, PAGE, bad[i].bytes, bad[i].len), PFS_ECORRUPT);
}

/* --- recent pages ----------------------------------------------------------------------------- */

static void test_recent__makes_deltas_of_what_is_here(void **state)
{
    struct pfs_recent *recent;
    uint8_t depth = 9;
    size_t len;

    (void)state;
    assert_int_equal(pfs_recent_create(1, PAGE, &recent), 0);
    memset(old_page, 1, PAGE);
    memcpy(new_page, old_page, PAGE);
    new_page[5] = 2;
    assert_int_equal(pfs_recent_replace(recent, 1, 3, old_page, true, delta, 4096, &depth), 0);
    assert_int_equal(depth, 0);
    len = pfs_recent_replace(recent, 1, 3, new_page, true, delta, 4096, &depth);
    assert_int_equal(len, 5);
    assert_int_equal(depth, 1);
    assert_makes_new(len);
    /* Another file, another block, another epoch of the same file: not here. */
    assert_int_equal(pfs_recent_replace(recent, 2, 3, new_page, false, delta, 4096, &depth), 0);
    assert_int_equal(pfs_recent_replace(recent, 1, 4, new_page, false, delta, 4096, &depth), 0);
    pfs_recent_destroy(recent);
}

static void test_recent__keeps_only_what_it_should(void **state)
{
    struct pfs_recent *recent;
    unsigned char page[PAGE];
    uint8_t depth;

    (void)state;
    assert_int_equal(pfs_recent_create(1, PAGE, &recent), 0);
    memset(old_page, 1, PAGE);
    assert_int_equal(pfs_recent_replace(recent, 1, 0, old_page, false, delta, 4096, &depth), 0);
    assert_false(pfs_recent_get(recent, 1, 0, page, &depth));
    pfs_recent_put(recent, 1, 0, old_page, 4);
    assert_true(pfs_recent_get(recent, 1, 0, page, &depth));
    assert_int_equal(depth, 4);
    assert_memory_equal(page, old_page, PAGE);
    pfs_recent_destroy(recent);
}

/* Depth grows to its maximum, then the page is written whole and it begins anew. */
static void test_recent__bounds_the_depth(void **state)
{
    struct pfs_recent *recent;
    uint8_t depth;

    (void)state;
    assert_int_equal(pfs_recent_create(1, PAGE, &recent), 0);
    memset(new_page, 0, PAGE);
    pfs_recent_put(recent, 1, 0, new_page, 0);
    for (unsigned round = 0; round < 3 * (PFS_DELTA_DEPTH_MAX + 1); round++) {
        size_t len;

        new_page[round % 100]++;
        len = pfs_recent_replace(recent, 1, 0, new_page, true, delta, 4096, &depth);
        assert_int_equal(len > 0, (round + 1) % (PFS_DELTA_DEPTH_MAX + 1) != 0);
        assert_int_equal(depth, (round + 1) % (PFS_DELTA_DEPTH_MAX + 1));
    }
    pfs_recent_destroy(recent);
}

static void test_recent__a_delta_too_long_is_a_whole_page(void **state)
{
    struct pfs_recent *recent;
    unsigned char page[PAGE];
    uint8_t depth;

    (void)state;
    assert_int_equal(pfs_recent_create(1, PAGE, &recent), 0);
    memset(old_page, 1, PAGE);
    memset(new_page, 2, PAGE);
    pfs_recent_put(recent, 1, 0, old_page, 3);
    assert_int_equal(pfs_recent_replace(recent, 1, 0, new_page, false, delta, 4096, &depth), 0);
    assert_true(pfs_recent_get(recent, 1, 0, page, &depth));
    assert_int_equal(depth, 0);
    assert_memory_equal(page, new_page, PAGE);
    pfs_recent_destroy(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delta__equal_pages_give_one_empty_range),
        cmocka_unit_test(test_delta__one_byte),
        cmocka_unit_test(test_delta__near_ranges_are_joined_far_ones_are_not),
        cmocka_unit_test(test_delta__any_two_pages),
        cmocka_unit_test(test_delta__the_largest_page),
        cmocka_unit_test(test_delta__what_reaches_outside_is_damage),
        cmocka_unit_test(test_recent__makes_deltas_of_what_is_here),
        cmocka_unit_test(test_recent__keeps_only_what_it_should),
        cmocka_unit_test(test_recent__bounds_the_depth),
        cmocka_unit_test(test_recent__a_delta_too_long_is_a_whole_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
