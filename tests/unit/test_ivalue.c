/* What an inode's key holds: the encoding byte by byte, and truncation marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fs/tree/ivalue.h"
#include "tests/sim/rng.h"

static struct pfs_mark marks[PFS_MARKS_MAX];

static struct pfs_ivalue example(void)
{
    for (unsigned i = 0; i < PFS_MARKS_MAX; i++)
        marks[i] = (struct pfs_mark){.lsn = 100 + i, .size = 10 * i};
    return (struct pfs_ivalue){.mode = 0100644,
                               .nlink = 2,
                               .uid = 3,
                               .gid = 4,
                               .rdev = 5,
                               .size = 6,
                               .pages = 7,
                               .atime_ns = 8,
                               .mtime_ns = UINT64_MAX, /* a moment before 1970 */
                               .ctime_ns = 10,
                               .btime_ns = 11,
                               .parent = 12,
                               .n_xattrs = 13,
                               .n_marks = 2,
                               .marks = marks};
}

/* The table in ivalue.h; a volume of today must be readable for ever. */
static void test_ivalue__stands_as_documented(void **state)
{
    unsigned char bytes[PFS_IVALUE_MAX], wanted[PFS_IVALUE_FIXED + 32] = {0};
    struct pfs_ivalue v = example();

    (void)state;
    wanted[0] = 1;
    pfs_put16(wanted + 2, 2);
    pfs_put32(wanted + 4, 0100644);
    pfs_put32(wanted + 8, 2);
    pfs_put32(wanted + 12, 3);
    pfs_put32(wanted + 16, 4);
    pfs_put32(wanted + 20, 5);
    pfs_put64(wanted + 24, 6);
    pfs_put64(wanted + 32, 7);
    pfs_put64(wanted + 40, 8);
    pfs_put64(wanted + 48, UINT64_MAX);
    pfs_put64(wanted + 56, 10);
    pfs_put64(wanted + 64, 11);
    pfs_put64(wanted + 72, 12);
    pfs_put32(wanted + 80, 13);
    pfs_put64(wanted + 88, 100);
    pfs_put64(wanted + 96, 0);
    pfs_put64(wanted + 104, 101);
    pfs_put64(wanted + 112, 10);
    assert_int_equal(pfs_ivalue_encode(&v, bytes), sizeof(wanted));
    assert_memory_equal(bytes, wanted, sizeof(wanted));
}

static void test_ivalue__reads_what_it_wrote(void **state)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_ivalue v = example(), got;
    char target[4096];
    uint32_t len;

    (void)state;
    memset(target, 't', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    v.n_marks = PFS_MARKS_MAX;
    v.target = target;
    len = pfs_ivalue_encode(&v, bytes);
    assert_int_equal(len, PFS_IVALUE_MAX - 1);
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), 0);
    assert_memory_equal(got.marks, marks, sizeof(marks));
    assert_string_equal(got.target, target);
    assert_true(got.mtime_ns == UINT64_MAX && got.parent == 12 && got.n_xattrs == 13);
    pfs_ivalue_release(&got);
    pfs_ivalue_release(&got); /* twice does no harm */
}

static void test_ivalue__a_mark_without_lsn_is_of_the_version(void **state)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_ivalue v = example(), got;

    (void)state;
    marks[1].lsn = 0;
    assert_int_equal(pfs_ivalue_decode(bytes, pfs_ivalue_encode(&v, bytes), 777, &got), 0);
    assert_true(got.marks[1].lsn == 777);
    pfs_ivalue_release(&got);
}

static void test_ivalue__each_wrong_length_is_damage(void **state)
{
    unsigned char bytes[PFS_IVALUE_MAX + 1];
    struct pfs_ivalue v = example(), got;
    uint32_t len;

    (void)state;
    v.target = (char *)(uintptr_t) "target";
    len = pfs_ivalue_encode(&v, bytes);
    for (uint32_t n = 0; n <= len + 1; n++)
        if (n != len)
            assert_int_equal(pfs_ivalue_decode(bytes, n, 500, &got), PFS_ECORRUPT);
}

static void test_ivalue__refuses_what_makes_no_sense(void **state)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_ivalue v = example(), got;
    uint32_t len = pfs_ivalue_encode(&v, bytes);

    (void)state;
    bytes[0] = 0;
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), PFS_ECORRUPT);
    bytes[0] = 2;
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), PFS_EVERSION);
    bytes[0] = 1;
    pfs_put64(bytes + 104, 100); /* the second mark no younger than the first */
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), PFS_ECORRUPT);
    pfs_put64(bytes + 104, 101);
    pfs_put64(bytes + 112, 0); /* nor at a larger size */
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), PFS_ECORRUPT);
    v.target = (char *)(uintptr_t) "target";
    v.n_marks = 0;
    len = pfs_ivalue_encode(&v, bytes);
    bytes[len - 1] = 0;
    assert_int_equal(pfs_ivalue_decode(bytes, len, 500, &got), PFS_ECORRUPT);
}

/* --- marks ------------------------------------------------------------------------------------ */

#define CUTS 200

/* Against all cuts: of a version made at lsn, bytes past the smallest size that any later cut had
 * are gone. */
static void test_marks__say_what_all_cuts_say(void **state)
{
    struct pfs_mark kept[CUTS + 1], next[CUTS + 1];
    uint64_t sizes[CUTS];
    struct rng rng = rng_make(5);
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < CUTS; i++) {
        sizes[i] = rng_below(&rng, 1 + 10 * i);
        n = pfs_marks_push(kept, n, sizes[i], next);
        memcpy(kept, next, n * sizeof(*kept));
        kept[n - 1].lsn = 100 + i;
        for (unsigned lsn = 99; lsn <= 100 + i; lsn++) {
            uint64_t least = UINT64_MAX;

            for (unsigned k = 0; k <= i; k++)
                if (100 + k > lsn && sizes[k] < least)
                    least = sizes[k];
            assert_true(pfs_marks_cut(kept, n, lsn) == least);
        }
    }
}

static void test_marks__a_deeper_cut_swallows_the_earlier_ones(void **state)
{
    struct pfs_mark kept[3] = {{10, 100}, {20, 200}, {30, 300}}, out[4];

    (void)state;
    assert_int_equal(pfs_marks_push(kept, 3, 400, out), 4);
    assert_int_equal(pfs_marks_push(kept, 3, 300, out), 3);
    assert_int_equal(pfs_marks_push(kept, 3, 250, out), 3);
    assert_true(out[2].size == 250 && out[2].lsn == 0 && out[1].lsn == 20);
    assert_int_equal(pfs_marks_push(kept, 3, 0, out), 1);
    assert_int_equal(pfs_marks_push(NULL, 0, 5, out), 1);
    assert_true(pfs_marks_cut(NULL, 0, 0) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ivalue__stands_as_documented),
        cmocka_unit_test(test_ivalue__reads_what_it_wrote),
        cmocka_unit_test(test_ivalue__a_mark_without_lsn_is_of_the_version),
        cmocka_unit_test(test_ivalue__each_wrong_length_is_damage),
        cmocka_unit_test(test_ivalue__refuses_what_makes_no_sense),
        cmocka_unit_test(test_marks__say_what_all_cuts_say),
        cmocka_unit_test(test_marks__a_deeper_cut_swallows_the_earlier_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
