/* LSNs as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wal/lsn.h"

static void test_lsn__prints_as_postgres_does(void **state)
{
    (void)state;
    assert_string_equal(pfs_lsn_print(0).s, "0/0");
    assert_string_equal(pfs_lsn_print(UINT64_C(0x16B3748)).s, "0/16B3748");
    assert_string_equal(pfs_lsn_print(UINT64_C(0x100000000)).s, "1/0");
    assert_string_equal(pfs_lsn_print(PFS_LSN_MAX).s, "FFFFFFFF/FFFFFFFF");
}

static void test_lsn__reads_what_it_prints(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        pfs_lsn lsn = UINT64_C(0xA5) << shift, got;

        assert_int_equal(pfs_lsn_parse(pfs_lsn_print(lsn).s, &got), 0);
        assert_true(got == lsn);
    }
}

static void test_lsn__reads_both_forms_and_cases(void **state)
{
    pfs_lsn lsn;

    (void)state;
    assert_int_equal(pfs_lsn_parse("0-16b3748", &lsn), 0);
    assert_true(lsn == UINT64_C(0x16B3748));
    assert_int_equal(pfs_lsn_parse("00000001/0000000A", &lsn), 0);
    assert_true(lsn == UINT64_C(0x10000000A));
}

static void test_lsn__refuses_everything_else(void **state)
{
    static const char *const bad[] = {
        "",    "/",           "0",           "0/",   "/0",   "0/0 ", " 0/0",  "0x1/0", "0/0/0",
        "G/0", "000000001/0", "0/123456789", "-1/0", "+1/0", "0:0",  "0/0\n", "0//0",  "1/-1"};
    pfs_lsn lsn = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pfs_lsn_parse(bad[i], &lsn), PFS_EINVAL);
    assert_true(lsn == 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lsn__prints_as_postgres_does),
        cmocka_unit_test(test_lsn__reads_what_it_prints),
        cmocka_unit_test(test_lsn__reads_both_forms_and_cases),
        cmocka_unit_test(test_lsn__refuses_everything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
