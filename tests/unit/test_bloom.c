#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/pages/bloom.h"

static uint64_t page_hash(uint64_t n)
{
    struct pfs_key key = pfs_key(PFS_KEY_PAGE, n / 1000, n % 1000);

    return pfs_bloom_hash(&key);
}

static void test_bloom__has_what_was_added(void **state)
{
    (void)state;
    for (uint64_t keys = 1; keys < 100000; keys = keys * 3 + 1) {
        size_t len = pfs_bloom_bytes(keys);
        unsigned char *bits = calloc(1, len);

        assert_non_null(bits);
        for (uint64_t i = 0; i < keys; i++)
            pfs_bloom_add(bits, len, page_hash(i));
        for (uint64_t i = 0; i < keys; i++)
            assert_true(pfs_bloom_may_have(bits, len, page_hash(i)));
        free(bits);
    }
}

static void test_bloom__is_wrong_in_less_than_one_percent(void **state)
{
    const uint64_t keys = 100000;
    size_t len = pfs_bloom_bytes(keys), wrong = 0;
    unsigned char *bits = calloc(1, len);

    (void)state;
    assert_non_null(bits);
    for (uint64_t i = 0; i < keys; i++)
        pfs_bloom_add(bits, len, page_hash(i));
    for (uint64_t i = 0; i < keys; i++)
        wrong += pfs_bloom_may_have(bits, len, page_hash(keys + i));
    print_message("# %zu of %llu absent keys were taken for present\n", wrong,
                  (unsigned long long)keys);
    assert_in_range(wrong, 1, keys / 100);
    free(bits);
}

static void test_bloom__of_nothing_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(pfs_bloom_bytes(0), 0);
    assert_false(pfs_bloom_may_have(NULL, 0, page_hash(1)));
}

static void test_bloom__size_is_twelve_bits_a_key(void **state)
{
    (void)state;
    assert_int_equal(pfs_bloom_bytes(1), 32);
    assert_int_equal(pfs_bloom_bytes(21), 32);
    assert_int_equal(pfs_bloom_bytes(22), 64);
    assert_int_equal(pfs_bloom_bytes(1000000), 1500000);
    assert_true(pfs_bloom_bytes(UINT64_MAX) > UINT64_MAX / 16);
}

/* These numbers are in files: they can't change within a version of the format. */
static void test_bloom__hash_and_bits_are_frozen(void **state)
{
    struct pfs_key key = pfs_key(PFS_KEY_PAGE, 42, 7);
    unsigned char bits[64] = {0};
    unsigned set = 0;

    (void)state;
    assert_int_equal(pfs_bloom_hash(&key), UINT64_C(0x2e724aee5de7925e));
    pfs_bloom_add(bits, sizeof(bits), UINT64_C(0x8000000000000001));
    for (int i = 0; i < 32; i++)
        assert_int_equal(bits[i], 0);
    /* salt * 1 >> 27: the salts' top five bits */
    assert_int_equal(bits[32 + 1], 1 << 0);     /* word 0: 0x47b6137b >> 27 = 8 */
    assert_int_equal(bits[32 + 4 + 1], 1 << 0); /* word 1: 8 */
    assert_int_equal(bits[32 + 8 + 2], 1 << 1); /* word 2: 17 */
    for (int i = 32; i < 64; i++)
        for (int b = 0; b < 8; b++)
            set += bits[i] >> b & 1;
    assert_int_equal(set, 8);
}

static void test_bloom__names_go_by_groups_of_four(void **state)
{
    static const uint8_t types[] = {PFS_KEY_DENTRY, PFS_KEY_XATTR};
    struct pfs_key page = pfs_key(PFS_KEY_PAGE, 3, 8), next = pfs_key(PFS_KEY_PAGE, 3, 9);

    (void)state;
    for (int t = 0; t < 2; t++) {
        struct pfs_key key = pfs_key(types[t], 3, 8), past = pfs_key(types[t], 3, 12);

        for (uint64_t b = 9; b < 12; b++) {
            struct pfs_key other = pfs_key(types[t], 3, b);

            assert_int_equal(pfs_bloom_hash(&key), pfs_bloom_hash(&other));
        }
        assert_int_not_equal(pfs_bloom_hash(&key), pfs_bloom_hash(&past));
    }
    assert_int_not_equal(pfs_bloom_hash(&page), pfs_bloom_hash(&next));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bloom__has_what_was_added),
        cmocka_unit_test(test_bloom__is_wrong_in_less_than_one_percent),
        cmocka_unit_test(test_bloom__of_nothing_has_nothing),
        cmocka_unit_test(test_bloom__size_is_twelve_bits_a_key),
        cmocka_unit_test(test_bloom__hash_and_bits_are_frozen),
        cmocka_unit_test(test_bloom__names_go_by_groups_of_four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
