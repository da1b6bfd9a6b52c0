/* The codec of journal records. */
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
#include "tests/lib/layer_model.h"
#include "wal/record.h"

#define GOLDEN "record_v1.bin"
#define LSN    UINT64_C(0x16b3748)

/* A whole record as the journal writes it: header and table, then the payloads. Returns its length.
 */
static uint32_t encode(struct pfs_record *rec, struct pfs_entry *entries, unsigned n, void *buf)
{
    uint32_t len = pfs_record_len(entries, n);

    memset(buf, 0, len);
    pfs_record_seal_payloads(entries, n);
    pfs_record_encode(rec, entries, n, buf);
    for (unsigned i = 0; i < n; i++)
        if (entries[i].len)
            memcpy((char *)buf + (entries[i].pos - rec->lsn), entries[i].data, entries[i].len);
    return len;
}

static int decode(const void *buf, pfs_lsn lsn, struct pfs_record *rec, struct pfs_entry *entries)
{
    int err = pfs_record_decode_header(buf, lsn, rec);

    return err ? err : pfs_record_decode(buf, rec, entries);
}

/* One entry of each kind, with payloads of 11, 0, 8 and 0 bytes. */
static struct pfs_record sample(struct pfs_entry entries[4])
{
    entries[0] = (struct pfs_entry){.key = pfs_key(PFS_KEY_DENTRY, 1, UINT64_C(0x7123456789abcdec)),
                                    .kind = PFS_KIND_VALUE,
                                    .len = 11,
                                    .data = "hello world"};
    entries[1] = (struct pfs_entry){.key = pfs_key(PFS_KEY_PAGE, 2, 3), .kind = PFS_KIND_ZERO};
    entries[2] = (struct pfs_entry){.key = pfs_key(PFS_KEY_PAGE, UINT64_MAX, 1),
                                    .kind = PFS_KIND_DELTA,
                                    .depth = 16,
                                    .len = 8,
                                    .data = "\x10\0\4\0abcd"};
    entries[3] = (struct pfs_entry){.key = pfs_key(PFS_KEY_INODE, 4, 0), .kind = PFS_KIND_DELETE};
    return (struct pfs_record){.lsn = LSN,
                               .durable = LSN - 4096,
                               .time_ns = UINT64_C(1700000000123456789),
                               .prev = UINT64_C(0xfedcba9876543210),
                               .op = PFS_OP_RENAME};
}

static void expect_sample(const struct pfs_record *rec, const struct pfs_entry *got)
{
    struct pfs_entry want[4];
    struct pfs_record s = sample(want);

    assert_int_equal(rec->lsn, s.lsn);
    assert_int_equal(rec->durable, s.durable);
    assert_int_equal(rec->time_ns, s.time_ns);
    assert_int_equal(rec->prev, s.prev);
    assert_int_equal(rec->op, s.op);
    assert_int_equal(rec->n_entries, 4);
    assert_int_equal(rec->len, 48 + 4 * 32 + 16 + 8);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pfs_key_cmp(&got[i].key, &want[i].key), 0);
        assert_int_equal(got[i].kind, want[i].kind);
        assert_int_equal(got[i].depth, want[i].depth);
        assert_int_equal(got[i].len, want[i].len);
        if (want[i].len)
            assert_memory_equal(got[i].data, want[i].data, want[i].len);
    }
    assert_int_equal(got[0].pos, LSN + 48 + 4 * 32);
    assert_int_equal(got[2].pos, got[0].pos + 16);
}

static void test_wal_record__golden(void **state)
{
    unsigned char golden[1024], now[1024];
    struct pfs_entry entries[4];
    struct pfs_record rec = sample(entries);
    uint32_t len = encode(&rec, entries, 4, now);

    (void)state;
    assert_int_equal(golden_read(GOLDEN, golden, sizeof(golden)), len);
    assert_memory_equal(golden, now, len);
    assert_int_equal(decode(golden, LSN, &rec, entries), 0);
    expect_sample(&rec, entries);
}

static void test_wal_record__every_flipped_bit_is_noticed(void **state)
{
    unsigned char buf[1024];
    struct pfs_entry entries[8];
    struct pfs_record rec = sample(entries);
    uint32_t len = encode(&rec, entries, 4, buf);
    size_t first = 48 + 4 * 32;

    (void)state;
    for (size_t i = 0; i < len * 8; i++) {
        bool padding = i / 8 >= first + 11 && i / 8 < first + 16;
        struct pfs_record got;
        int err;

        buf[i / 8] ^= (unsigned char)(1u << i % 8);
        err = pfs_record_decode_header(buf, LSN, &got);
        if (!err && got.len <= len && got.n_entries <= 8)
            err = pfs_record_decode(buf, &got, entries);
        else
            err = PFS_ETORN; /* as the reader does with what can't fit */
        assert_int_equal(err, padding ? 0 : PFS_ETORN);
        buf[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

static void test_wal_record__is_valid_only_where_it_was_written(void **state)
{
    unsigned char buf[1024];
    struct pfs_entry entries[4];
    struct pfs_record rec = sample(entries);

    (void)state;
    encode(&rec, entries, 4, buf);
    assert_int_equal(decode(buf, LSN, &rec, entries), 0);
    assert_int_equal(decode(buf, LSN + 8, &rec, entries), PFS_ETORN);
    assert_int_equal(decode(buf, LSN - (UINT64_C(1) << 32), &rec, entries), PFS_ETORN);
}

static void test_wal_record__random_ones_come_back(void **state)
{
    static unsigned char buf[1 << 17], data[40][1024];
    struct pfs_entry in[40], out[40];
    uint64_t r = 1;

    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        unsigned n = model_random(&r) % 41;
        struct pfs_record rec = {.lsn = model_random(&r) & ~UINT64_C(7),
                                 .op = (uint8_t)(1 + model_random(&r) % (PFS_OP_LIMIT - 1))},
                          got;
        uint32_t len;

        for (unsigned i = 0; i < n; i++) {
            in[i] = (struct pfs_entry){
                .key = {.type = (uint8_t)(PFS_KEY_INODE * (1 + model_random(&r) % 5)),
                        .a = r,
                        .b = r * 3},
                .kind = (uint8_t)(1 + model_random(&r) % 4),
                .depth = (uint8_t)model_random(&r),
                .len = (uint32_t)(model_random(&r) % 4 ? model_random(&r) % 1024 : 0),
                .data = data[i]};
            memset(data[i], (int)model_random(&r), in[i].len);
        }
        len = encode(&rec, in, n, buf);
        assert_int_equal(decode(buf, rec.lsn, &got, out), 0);
        assert_int_equal(got.len, len);
        assert_int_equal(len % 8, 0);
        assert_int_equal(got.n_entries, n);
        assert_int_equal(got.checksum, rec.checksum);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(pfs_key_cmp(&in[i].key, &out[i].key), 0);
            assert_int_equal(in[i].len, out[i].len);
            assert_int_equal(in[i].pos, out[i].pos);
            assert_memory_equal(in[i].data, out[i].data, in[i].len);
        }
    }
}

static void test_wal_record__limits(void **state)
{
    struct pfs_entry *many = calloc(PFS_RECORD_ENTRIES_MAX + 1, sizeof(*many));
    struct pfs_entry one = {.len = PFS_RECORD_MAX - 48 - 32};

    (void)state;
    assert_non_null(many);
    assert_int_equal(pfs_record_len(NULL, 0), 48);
    assert_int_equal(pfs_record_len(&one, 1), PFS_RECORD_MAX);
    one.len++;
    assert_int_equal(pfs_record_len(&one, 1), 0);
    one.len = UINT32_MAX;
    assert_int_equal(pfs_record_len(&one, 1), 0);
    assert_int_equal(pfs_record_len(many, PFS_RECORD_ENTRIES_MAX), 48 + 32768 * 32);
    assert_int_equal(pfs_record_len(many, PFS_RECORD_ENTRIES_MAX + 1), 0);
    free(many);
}

static void mend(unsigned char *buf)
{
    size_t len = 48 + (size_t)pfs_get16(buf + 46) * 32;

    pfs_put64(buf, pfs_checksum(buf + 8, len - 8));
}

/* What only a writer gone wrong makes: the checksums are right. */
static void test_wal_record__senseless_lengths_are_refused(void **state)
{
    static const struct {
        size_t off;
        uint32_t value;
    } cases[] = {
        {40, 199},         {40, 192}, {40, 208},        {40, 40}, /* len */
        {52, 12 + 8},      {52, 3},   {52, UINT32_MAX}, {52, 17}, /* len of an entry */
        {48, 0},           {48, 5},                               /* kind */
        {48, 1 << 24 | 1},                                        /* the byte that is zero */
    };
    unsigned char buf[1024];
    struct pfs_entry entries[4];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pfs_record rec = sample(entries);

        assert_int_equal(encode(&rec, entries, 4, buf), 200);
        pfs_put32(buf + cases[i].off, cases[i].value);
        mend(buf);
        assert_int_equal(decode(buf, LSN, &rec, entries), PFS_ETORN);
    }
}

static void test_wal_record__unknown_op_and_version_are_refused(void **state)
{
    unsigned char buf[1024];
    struct pfs_entry entries[4];
    struct pfs_record rec = sample(entries);

    (void)state;
    encode(&rec, entries, 4, buf);
    buf[45] = PFS_OP_LIMIT;
    mend(buf);
    assert_int_equal(decode(buf, LSN, &rec, entries), PFS_ETORN);
    buf[45] = PFS_OP_WRITE;
    buf[44] = PFS_RECORD_VERSION + 1;
    mend(buf);
    assert_int_equal(decode(buf, LSN, &rec, entries), PFS_ETORN);
    buf[44] = PFS_RECORD_VERSION;
    mend(buf);
    assert_int_equal(decode(buf, LSN, &rec, entries), 0);
}

static void test_wal_record__pad(void **state)
{
    struct pfs_record pad = {.lsn = LSN, .op = PFS_OP_PAD, .len = 16 << 20}, got;
    unsigned char buf[48];

    (void)state;
    pfs_record_encode(&pad, NULL, 0, buf);
    assert_int_equal(decode(buf, LSN, &got, NULL), 0);
    assert_int_equal(got.op, PFS_OP_PAD);
    assert_int_equal(got.len, 16 << 20);
    pfs_put32(buf + 40, 64); /* its checksum is the header's, and must be right */
    assert_int_equal(decode(buf, LSN, &got, NULL), PFS_ETORN);
    pfs_put32(buf + 40, 44);
    mend(buf);
    assert_int_equal(decode(buf, LSN, &got, NULL), PFS_ETORN);
}

static void test_wal_record__zeros_are_no_record(void **state)
{
    unsigned char buf[48] = {0};
    struct pfs_record rec;

    (void)state;
    assert_int_equal(pfs_record_decode_header(buf, 0, &rec), PFS_ETORN);
    assert_int_equal(pfs_record_decode_header(buf, LSN, &rec), PFS_ETORN);
}

static void test_wal_record__ops_have_names(void **state)
{
    (void)state;
    for (unsigned op = 0; op < PFS_OP_LIMIT; op++)
        assert_string_not_equal(pfs_op_name(op), "?");
    assert_string_equal(pfs_op_name(PFS_OP_REAP), "reap");
    assert_string_equal(pfs_op_name(PFS_OP_LIMIT), "?");
}

static int write_golden(void)
{
    unsigned char buf[1024];
    struct pfs_entry entries[4];
    struct pfs_record rec = sample(entries);

    return golden_write(GOLDEN, buf, encode(&rec, entries, 4, buf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_record__golden),
        cmocka_unit_test(test_wal_record__every_flipped_bit_is_noticed),
        cmocka_unit_test(test_wal_record__is_valid_only_where_it_was_written),
        cmocka_unit_test(test_wal_record__random_ones_come_back),
        cmocka_unit_test(test_wal_record__limits),
        cmocka_unit_test(test_wal_record__senseless_lengths_are_refused),
        cmocka_unit_test(test_wal_record__unknown_op_and_version_are_refused),
        cmocka_unit_test(test_wal_record__pad),
        cmocka_unit_test(test_wal_record__zeros_are_no_record),
        cmocka_unit_test(test_wal_record__ops_have_names),
    };

    if (getenv("WRITE_GOLDEN"))
        return write_golden() ? EXIT_FAILURE : EXIT_SUCCESS;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
