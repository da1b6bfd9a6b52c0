#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/fuse.h>

#include "fs/mount/init_patch.h"

struct request {
    struct fuse_in_header header;
    struct fuse_init_in in;
};

/* What Linux 6.18 offers, and what libfuse 3.14 takes of it, as seen with strace. */
#define OFFERED_BY_6_18  UINT64_C(0x5fd73fffffb)
#define TAKEN_BY_LIBFUSE 0x02d0e079u

static struct request request(uint64_t flags)
{
    struct request r = {
        .header = {.len = sizeof(r), .opcode = FUSE_INIT, .unique = 77},
        .in = {.major = 7, .minor = 45, .max_readahead = 131072},
    };

    r.in.flags = (uint32_t)flags;
    r.in.flags2 = (uint32_t)(flags >> 32);
    return r;
}

static struct fuse_init_out answer(uint32_t flags)
{
    return (struct fuse_init_out){
        .major = 7, .minor = 31, .flags = flags, .max_write = 1 << 20, .max_pages = 256};
}

static void test_init_patch__reads_the_offer(void **state)
{
    struct request r = request(OFFERED_BY_6_18);
    struct pfs_init_offer offer;

    (void)state;
    assert_true(pfs_init_read(&r, sizeof(r), &offer));
    assert_int_equal(offer.unique, 77);
    assert_int_equal(offer.flags, OFFERED_BY_6_18);
}

static void test_init_patch__reads_an_old_kernels_offer(void **state)
{
    struct request r = request(0x3fffffb);
    struct pfs_init_offer offer;

    (void)state;
    r.in.flags2 = 0xffffffff; /* not sent, and not said to be there */
    assert_true(pfs_init_read(&r, sizeof(r.header) + 16, &offer));
    assert_int_equal(offer.flags, 0x3fffffb);
    assert_true(pfs_init_read(&r, sizeof(r), &offer));
    assert_int_equal(offer.flags, 0x3fffffb);
}

static void test_init_patch__refuses_what_is_no_init(void **state)
{
    struct request r = request(OFFERED_BY_6_18);
    struct pfs_init_offer offer = {.unique = 5};

    (void)state;
    assert_false(pfs_init_read(&r, sizeof(r.header) + 15, &offer));
    assert_false(pfs_init_read(&r, 0, &offer));
    r.header.opcode = FUSE_GETATTR;
    assert_false(pfs_init_read(&r, sizeof(r), &offer));
    r.header.opcode = FUSE_INIT;
    r.in.major = 8;
    assert_false(pfs_init_read(&r, sizeof(r), &offer));
    assert_int_equal(offer.unique, 5);
}

static void test_init_patch__takes_what_is_offered(void **state)
{
    const struct pfs_init_offer offer = {.flags = OFFERED_BY_6_18};
    struct fuse_init_out out = answer(TAKEN_BY_LIBFUSE | FUSE_HANDLE_KILLPRIV);
    const struct fuse_init_out before = out;
    uint64_t flags = pfs_init_patch(&out, sizeof(out), &offer);

    (void)state;
    assert_int_equal(out.flags, TAKEN_BY_LIBFUSE | FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2 |
                                    FUSE_SETXATTR_EXT | FUSE_INIT_EXT);
    assert_int_equal(out.flags2, 1 << 4);
    assert_int_equal(flags, (uint64_t)out.flags2 << 32 | out.flags);
    /* Nothing else has changed. */
    out.flags = before.flags;
    out.flags2 = before.flags2;
    assert_memory_equal(&out, &before, sizeof(out));
}

static void test_init_patch__takes_nothing_that_is_not_offered(void **state)
{
    const struct pfs_init_offer offer = {.flags = 0x3fbfffb}; /* not even PARALLEL_DIROPS */
    struct fuse_init_out out = answer(TAKEN_BY_LIBFUSE | FUSE_HANDLE_KILLPRIV);

    (void)state;
    assert_int_equal(pfs_init_patch(&out, sizeof(out), &offer), TAKEN_BY_LIBFUSE);
    assert_int_equal(out.flags, TAKEN_BY_LIBFUSE);
    assert_int_equal(out.flags2, 0);
}

static void test_init_patch__keeps_what_a_newer_libfuse_took(void **state)
{
    const struct pfs_init_offer offer = {.flags = OFFERED_BY_6_18};
    struct fuse_init_out out = answer(TAKEN_BY_LIBFUSE | FUSE_INIT_EXT);

    (void)state;
    out.flags2 = 1 << 5;
    pfs_init_patch(&out, sizeof(out), &offer);
    assert_int_equal(out.flags2, 1 << 5 | 1 << 4);
}

static void test_init_patch__leaves_short_answers_alone(void **state)
{
    const struct pfs_init_offer offer = {.flags = OFFERED_BY_6_18};
    struct fuse_init_out out = answer(TAKEN_BY_LIBFUSE);
    const struct fuse_init_out before = out;

    (void)state;
    assert_int_equal(pfs_init_patch(&out, 24, &offer), 0);
    assert_memory_equal(&out, &before, sizeof(out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_patch__reads_the_offer),
        cmocka_unit_test(test_init_patch__reads_an_old_kernels_offer),
        cmocka_unit_test(test_init_patch__refuses_what_is_no_init),
        cmocka_unit_test(test_init_patch__takes_what_is_offered),
        cmocka_unit_test(test_init_patch__takes_nothing_that_is_not_offered),
        cmocka_unit_test(test_init_patch__keeps_what_a_newer_libfuse_took),
        cmocka_unit_test(test_init_patch__leaves_short_answers_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
