/* An inode's value as version 1 has it, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/tree/ivalue.h"
#include "tests/lib/golden.h"

#define GOLDEN "ivalue_v1.bin"
#define LSN    UINT64_C(0x9000000)

static struct pfs_mark marks[] = {{.lsn = 0x1000000, .size = 100},
                                  {.lsn = UINT64_C(0x100000008), .size = UINT64_C(1) << 44},
                                  {.lsn = 0, .size = UINT64_MAX}};
static char target[] = "../somewhere/else";

/* Every field has a value of its own. (No real inode has both marks and a target.) */
static struct pfs_ivalue sample(void)
{
    return (struct pfs_ivalue){.mode = 0120777,
                               .nlink = 2,
                               .uid = 1000,
                               .gid = 0x80000001,
                               .rdev = 0x10305,
                               .size = UINT64_C(0x123456789ab),
                               .pages = UINT64_C(0xfedcba98),
                               .atime_ns = UINT64_C(1700000000000000001),
                               .mtime_ns = UINT64_C(1700000000000000002),
                               .ctime_ns = UINT64_C(1700000000000000003),
                               .btime_ns = (uint64_t)-1,
                               .parent = UINT64_C(0xabcdef0123),
                               .n_xattrs = 7,
                               .n_marks = 3,
                               .marks = marks,
                               .target = target};
}

static void test_tree_ivalue__golden_is_still_written_so(void **state)
{
    unsigned char golden[PFS_IVALUE_MAX], now[PFS_IVALUE_MAX];
    struct pfs_ivalue iv = sample();
    uint32_t len = pfs_ivalue_encode(&iv, now);

    (void)state;
    assert_int_equal(len, PFS_IVALUE_FIXED + 3 * 16 + strlen(target));
    assert_int_equal(golden_read(GOLDEN, golden, sizeof(golden)), len);
    assert_memory_equal(golden, now, len);
}

static void test_tree_ivalue__golden_is_read(void **state)
{
    unsigned char golden[PFS_IVALUE_MAX];
    size_t len = golden_read(GOLDEN, golden, sizeof(golden));
    struct pfs_ivalue iv, want = sample();
    pfs_lsn lsn = UINT64_C(0x200000000);

    (void)state;
    assert_int_equal(pfs_ivalue_decode(golden, len, lsn, &iv), 0);
    assert_int_equal(iv.mode, want.mode);
    assert_int_equal(iv.nlink, want.nlink);
    assert_int_equal(iv.uid, want.uid);
    assert_int_equal(iv.gid, want.gid);
    assert_int_equal(iv.rdev, want.rdev);
    assert_int_equal(iv.size, want.size);
    assert_int_equal(iv.pages, want.pages);
    assert_int_equal(iv.atime_ns, want.atime_ns);
    assert_int_equal(iv.mtime_ns, want.mtime_ns);
    assert_int_equal(iv.ctime_ns, want.ctime_ns);
    assert_true(iv.btime_ns == want.btime_ns);
    assert_int_equal(iv.parent, want.parent);
    assert_int_equal(iv.n_xattrs, want.n_xattrs);
    assert_string_equal(iv.target, target);
    assert_int_equal(iv.n_marks, 3);
    assert_memory_equal(iv.marks, marks, 2 * sizeof(*marks));
    assert_int_equal(iv.marks[2].lsn, lsn); /* a mark of this very record */
    assert_true(iv.marks[2].size == UINT64_MAX);
    pfs_ivalue_release(&iv);
    assert_int_equal(pfs_ivalue_decode(golden, len, LSN, &iv), PFS_ECORRUPT); /* not ascending */
}

static int write_golden(void)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_ivalue iv = sample();

    return golden_write(GOLDEN, bytes, pfs_ivalue_encode(&iv, bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_ivalue__golden_is_still_written_so),
        cmocka_unit_test(test_tree_ivalue__golden_is_read),
    };

    if (getenv("WRITE_GOLDEN"))
        return write_golden() ? EXIT_FAILURE : EXIT_SUCCESS;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
