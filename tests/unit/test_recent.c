/* Recently written pages: what becomes a delta, and against what. */
#include <pthread.h>
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
#include "tests/lib/layer_model.h"

#define PAGE 512

static unsigned char delta[PAGE];

static int setup(void **state)
{
    struct pfs_recent *recent;

    if (pfs_recent_create(64 * PAGE, PAGE, &recent))
        return -1;
    *state = recent;
    return 0;
}

static int teardown(void **state)
{
    pfs_recent_destroy(*state);
    return 0;
}

static void fill(unsigned char *page, unsigned n)
{
    memset(page, 'p', PAGE);
    pfs_put32(page + n % (PAGE - 4), n);
}

/* Replace by page number n; the delta's length. */
static size_t replace(struct pfs_recent *r, uint64_t epoch, uint64_t block, unsigned n, bool keep,
                      uint8_t *depth)
{
    unsigned char page[PAGE];

    fill(page, n);
    return pfs_recent_replace(r, epoch, block, page, keep, delta, sizeof(delta), depth);
}

/* Page number n is what is remembered; n 0: nothing is. */
static void has(struct pfs_recent *r, uint64_t epoch, uint64_t block, unsigned n, uint8_t depth)
{
    unsigned char want[PAGE], got[PAGE];
    uint8_t d = 99;

    fill(want, n);
    assert_int_equal(pfs_recent_get(r, epoch, block, got, &d), n != 0);
    if (n) {
        assert_memory_equal(got, want, PAGE);
        assert_int_equal(d, depth);
    }
}

static void test_tree_recent__a_page_that_is_not_here_is_kept_if_asked(void **state)
{
    struct pfs_recent *r = *state;
    uint8_t depth = 9;

    assert_int_equal(replace(r, 1, 2, 10, false, &depth), 0);
    assert_int_equal(depth, 0);
    has(r, 1, 2, 0, 0);
    assert_int_equal(replace(r, 1, 2, 10, true, &depth), 0);
    has(r, 1, 2, 10, 0);
    has(r, 2, 2, 0, 0); /* another epoch, another block */
    has(r, 1, 3, 0, 0);
}

static void test_tree_recent__deltas_grow_until_a_page_is_written_whole(void **state)
{
    struct pfs_recent *r = *state;
    unsigned char page[PAGE];
    uint8_t depth;

    assert_int_equal(replace(r, 1, 0, 1, true, &depth), 0);
    fill(page, 1);
    for (unsigned i = 2; i < 40; i++) {
        size_t len = replace(r, 1, 0, i, false, &depth);
        unsigned char want[PAGE];

        assert_int_equal(depth, (i - 1) % (PFS_DELTA_DEPTH_MAX + 1));
        assert_int_equal(len == 0, depth == 0);
        fill(want, i);
        if (len) {
            assert_int_equal(pfs_delta_apply(page, PAGE, delta, len), 0);
            assert_memory_equal(page, want, PAGE);
        }
        memcpy(page, want, PAGE);
        has(r, 1, 0, i, depth);
    }
}

static void test_tree_recent__a_delta_too_long_is_none(void **state)
{
    struct pfs_recent *r = *state;
    unsigned char page[PAGE];
    uint8_t depth;

    assert_int_equal(replace(r, 1, 0, 5, true, &depth), 0);
    memset(page, 0, sizeof(page));
    assert_int_equal(pfs_recent_replace(r, 1, 0, page, false, delta, 100, &depth), 0);
    assert_int_equal(depth, 0);
    memset(page, 1, 50); /* it was remembered all the same */
    assert_int_equal(pfs_recent_replace(r, 1, 0, page, false, delta, 100, &depth), 54);
    assert_int_equal(depth, 1);
}

static void test_tree_recent__put_says_the_depth(void **state)
{
    struct pfs_recent *r = *state;
    unsigned char page[PAGE];
    uint8_t depth;

    fill(page, 3);
    pfs_recent_put(r, 7, 1, page, PFS_DELTA_DEPTH_MAX - 1);
    has(r, 7, 1, 3, PFS_DELTA_DEPTH_MAX - 1);
    assert_int_not_equal(replace(r, 7, 1, 4, false, &depth), 0);
    assert_int_equal(depth, PFS_DELTA_DEPTH_MAX);
    assert_int_equal(replace(r, 7, 1, 5, false, &depth), 0); /* no deeper */
    assert_int_equal(depth, 0);
    has(r, 7, 1, 5, 0);
}

/* Many more pages than slots: what is here is right, and no more than the slots are here. */
static void test_tree_recent__bounded(void **state)
{
    struct pfs_recent *r = *state;
    unsigned here = 0;
    uint8_t depth;

    for (unsigned i = 1; i <= 1000; i++)
        assert_int_equal(replace(r, 1 + i % 7, i, i, true, &depth), 0);
    for (unsigned i = 1; i <= 1000; i++) {
        unsigned char got[PAGE], want[PAGE];

        fill(want, i);
        if (!pfs_recent_get(r, 1 + i % 7, i, got, &depth))
            continue;
        here++;
        assert_memory_equal(got, want, PAGE);
    }
    assert_in_range(here, 32, 64);
}

/* --- threads, each with an epoch of its own --------------------------------------------------- */

struct worker {
    pthread_t thread;
    struct pfs_recent *recent;
    uint64_t epoch;
    unsigned wrong, deltas;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t random = w->epoch;
    unsigned char pages[8][PAGE] = {{0}}, new[PAGE], mine[PAGE];

    for (unsigned i = 0; i < 3000; i++) {
        uint64_t r = model_random(&random), block = r % 8;
        uint8_t depth;
        size_t len;

        fill(new, (unsigned)(r >> 32));
        len = pfs_recent_replace(w->recent, w->epoch, block, new, true, mine, sizeof(mine), &depth);
        if (len) {
            w->deltas++;
            if (pfs_delta_apply(pages[block], PAGE, mine, len) ||
                memcmp(pages[block], new, PAGE) != 0)
                w->wrong++;
        }
        memcpy(pages[block], new, PAGE);
        if (pfs_recent_get(w->recent, w->epoch, block, mine, &depth) &&
            memcmp(mine, new, PAGE) != 0)
            w->wrong++;
    }
    return NULL;
}

static void test_tree_recent__threads(void **state)
{
    struct worker workers[4];

    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.recent = *state, .epoch = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
        assert_in_range(workers[i].deltas, 1, 3000);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree_recent__a_page_that_is_not_here_is_kept_if_asked),
        TEST(test_tree_recent__deltas_grow_until_a_page_is_written_whole),
        TEST(test_tree_recent__a_delta_too_long_is_none),
        TEST(test_tree_recent__put_says_the_depth),
        TEST(test_tree_recent__bounded),
        TEST(test_tree_recent__threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
