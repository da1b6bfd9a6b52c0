/* Segment files: names, headers, listing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "tests/lib/golden.h"
#include "tests/lib/memio.h"
#include "wal/segment.h"

#define GOLDEN "segment_v1.bin"
#define START  UINT64_C(0x123000000)

static const struct pfs_segment_id id = {.uuid = "0123456789abcde", .branch = 7};

static void test_wal_segment__golden(void **state)
{
    unsigned char golden[PFS_SEGMENT_HEADER + 1], now[PFS_SEGMENT_HEADER];

    (void)state;
    pfs_segment_encode_header(now, &id, START);
    assert_int_equal(golden_read(GOLDEN, golden, sizeof(golden)), PFS_SEGMENT_HEADER);
    assert_memory_equal(golden, now, PFS_SEGMENT_HEADER);
    assert_int_equal(pfs_segment_check_header(golden, &id, START, "x"), 0);
}

static void test_wal_segment__geometry(void **state)
{
    struct pfs_segment_id small = {.size = 4096};

    (void)state;
    assert_int_equal(pfs_segment_size(&id), 16 << 20);
    assert_int_equal(pfs_segment_start(&id, 0x1ffffff), 0x1000000);
    assert_int_equal(pfs_segment_offset(&id, 0x1ffffff), 0xffffff);
    assert_int_equal(pfs_segment_size(&small), 4096);
    assert_int_equal(pfs_segment_start(&small, 0x1ffffff), 0x1fff000);
}

static void test_wal_segment__names_there_and_back(void **state)
{
    char name[PFS_SEGMENT_NAME];
    pfs_lsn start;

    (void)state;
    pfs_segment_name(name, "branches/1/journal", START);
    assert_string_equal(name, "branches/1/journal/0000000123000000.seg");
    assert_int_equal(pfs_segment_parse_name(&id, strrchr(name, '/') + 1, &start), 0);
    assert_int_equal(start, START);
}

static void test_wal_segment__other_names_are_not_taken_for_segments(void **state)
{
    static const char *const names[] = {"",
                                        "prepare.tmp",
                                        "0000000000000000.seg",
                                        "0000000001000001.seg", /* not where one can begin */
                                        "0000000001000000.se",
                                        "0000000001000000.segs",
                                        "000000001000000.seg",
                                        "00000000001000000.seg",
                                        "000000000100000A.seg",
                                        "0x00000001000000.seg",
                                        "-000000001000000.seg"};
    pfs_lsn start = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(pfs_segment_parse_name(&id, names[i], &start), PFS_EINVAL);
    assert_int_equal(start, 5);
}

static void expect(const unsigned char *header, const struct pfs_segment_id *who, pfs_lsn start,
                   int err, const char *words)
{
    assert_int_equal(pfs_segment_check_header(header, who, start, "dir/name.seg"), err);
    assert_non_null(strstr(pfs_err_message(), "dir/name.seg"));
    assert_non_null(strstr(pfs_err_message(), words));
}

static void test_wal_segment__foreign_and_misplaced_headers(void **state)
{
    unsigned char h[PFS_SEGMENT_HEADER];
    struct pfs_segment_id other = id;

    (void)state;
    pfs_segment_encode_header(h, &id, START);
    expect(h, &id, START + PFS_SEGMENT_SIZE, PFS_ECORRUPT, "not from where its name says");
    other.branch++;
    expect(h, &other, START, PFS_ECORRUPT, "branch 7, not 8");
    other.uuid[15] ^= 1;
    expect(h, &other, START, PFS_ECORRUPT, "another volume");
    h[0] = 'P';
    expect(h, &id, START, PFS_ECORRUPT, "bad magic");
}

static void test_wal_segment__newer_version_is_said_to_be_one(void **state)
{
    unsigned char h[PFS_SEGMENT_HEADER];

    (void)state;
    pfs_segment_encode_header(h, &id, START);
    pfs_put32(h + 8, PFS_SEGMENT_VERSION + 1);
    expect(h, &id, START, PFS_ECORRUPT, "checksum"); /* a flipped bit is not a newer version */
    pfs_put64(h + 40, pfs_checksum(h, 40));
    expect(h, &id, START, PFS_EVERSION, "newer");
}

static void test_wal_segment__every_flipped_bit_of_a_header(void **state)
{
    unsigned char h[PFS_SEGMENT_HEADER];

    (void)state;
    pfs_segment_encode_header(h, &id, START);
    for (unsigned i = 0; i < 48 * 8; i++) {
        h[i / 8] ^= (unsigned char)(1u << i % 8);
        assert_int_equal(pfs_segment_check_header(h, &id, START, "x"), PFS_ECORRUPT);
        h[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

static void test_wal_segment__open_checks_size_and_header(void **state)
{
    static unsigned char bytes[PFS_SEGMENT_HEADER + 4096 + 1];
    struct pfs_segment_id small = {.uuid = "me", .branch = 1, .size = 4096};
    struct pfs_io *io = memio_create();
    char name[PFS_SEGMENT_NAME];
    struct pfs_file *file;

    (void)state;
    pfs_segment_name(name, "j", 8192);
    assert_int_equal(pfs_segment_open(io, "j", &small, 8192, PFS_IO_RDONLY, &file), PFS_ENOENT);
    pfs_segment_encode_header(bytes, &small, 8192);
    for (size_t len = 0; len <= sizeof(bytes); len += len ? 1024 : 1) {
        memio_put(io, name, bytes, len);
        assert_int_equal(pfs_segment_open(io, "j", &small, 8192, PFS_IO_RDONLY, &file),
                         PFS_ECORRUPT);
    }
    memio_put(io, name, bytes, sizeof(bytes) - 1);
    assert_int_equal(pfs_segment_open(io, "j", &small, 8192, PFS_IO_RDONLY, &file), 0);
    io->ops->close(file);
    memio_fail_at(io, 3, PFS_EIO, false);
    assert_int_equal(pfs_segment_open(io, "j", &small, 8192, PFS_IO_RDONLY, &file), PFS_EIO);
    io->ops->destroy(io); /* asserts that nothing is open */
}

static void test_wal_segment__list_is_sorted_and_passes_over_the_rest(void **state)
{
    static const pfs_lsn made[] = {0x5000000, 0x1000000, UINT64_C(0x100000000), 0x2000000};
    static const pfs_lsn want[] = {0x1000000, 0x2000000, 0x5000000, UINT64_C(0x100000000)};
    struct pfs_io *io = memio_create();
    char name[PFS_SEGMENT_NAME];
    pfs_lsn *starts;
    unsigned n;

    (void)state;
    assert_int_equal(pfs_segment_list(io, "j", &id, &starts, &n), 0);
    assert_int_equal(n, 0);
    free(starts);
    for (unsigned i = 0; i < 4; i++) {
        pfs_segment_name(name, "j", made[i]);
        memio_put(io, name, "", 0);
    }
    memio_put(io, "j/prepare.tmp", "", 0);
    memio_put(io, "k/0000000001000000.seg", "", 0);
    assert_int_equal(pfs_segment_list(io, "j", &id, &starts, &n), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(starts, want, sizeof(want));
    free(starts);
    memio_fail_at(io, 1, PFS_EIO, false);
    assert_int_equal(pfs_segment_list(io, "j", &id, &starts, &n), PFS_EIO);
    io->ops->destroy(io);
}

static int write_golden(void)
{
    unsigned char h[PFS_SEGMENT_HEADER];

    pfs_segment_encode_header(h, &id, START);
    return golden_write(GOLDEN, h, sizeof(h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_segment__golden),
        cmocka_unit_test(test_wal_segment__geometry),
        cmocka_unit_test(test_wal_segment__names_there_and_back),
        cmocka_unit_test(test_wal_segment__other_names_are_not_taken_for_segments),
        cmocka_unit_test(test_wal_segment__foreign_and_misplaced_headers),
        cmocka_unit_test(test_wal_segment__newer_version_is_said_to_be_one),
        cmocka_unit_test(test_wal_segment__every_flipped_bit_of_a_header),
        cmocka_unit_test(test_wal_segment__open_checks_size_and_header),
        cmocka_unit_test(test_wal_segment__list_is_sorted_and_passes_over_the_rest),
    };

    if (getenv("WRITE_GOLDEN"))
        return write_golden() ? EXIT_FAILURE : EXIT_SUCCESS;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
