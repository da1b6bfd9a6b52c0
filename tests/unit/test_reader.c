/* The journal's reader: torn tail or damage? Every cut and every flipped bit of a small journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/wal_fixture.h"

#define SEGMENT 512

/* A dozen records over some segments; `synced` says after which of them a sync came. */
static void build(struct wal *w, unsigned n, unsigned synced)
{
    wal_init(w, SEGMENT);
    for (unsigned i = 0; i < n; i++) {
        wal_add(w, 1000 + i, 60);
        if (synced >> i & 1)
            assert_int_equal(pfs_journal_sync(w->journal, pfs_journal_end(w->journal)), 0);
    }
    wal_close(w);
}

static pfs_lsn end_of(const struct wal *w)
{
    return w->records[w->n - 1].end;
}

/* Does a record behind the place that is bad say that it was durable? */
static bool proof_behind(const struct wal *w, unsigned first, pfs_lsn bad)
{
    for (unsigned i = first; i < w->n; i++)
        if (w->records[i].durable > bad)
            return true;
    return false;
}

static void test_wal_reader__reads_back_and_ends_torn(void **state)
{
    struct pfs_reader *reader;
    struct wal w;
    unsigned n;

    (void)state;
    build(&w, 12, 0x492);
    assert_in_range(wal_count_segments(&w), 2, 12);
    assert_int_equal(wal_read(&w, 0, &n, &reader), PFS_ETORN);
    assert_int_equal(n, 12);
    assert_int_equal(pfs_reader_position(reader), end_of(&w));
    assert_int_equal(pfs_reader_check_tail(reader), 0);
    pfs_reader_destroy(reader);
    assert_int_equal(wal_verdict(&w, 5, &n), 0);
    assert_int_equal(n, 7);
    wal_release(&w);
}

/* Whatever stands behind a cut never reached the disk: zeros. */
static void cut_at(struct wal *w, pfs_lsn cut)
{
    for (pfs_lsn at = cut; at < end_of(w); at++)
        *wal_byte(w, at) = 0;
}

static void test_wal_reader__every_cut_is_a_torn_tail(void **state)
{
    struct wal w;

    (void)state;
    build(&w, 12, 0x492);
    for (pfs_lsn cut = end_of(&w); cut-- > PFS_LSN_FIRST;) {
        unsigned n, whole = 0;

        cut_at(&w, cut);
        while (whole < w.n && w.records[whole].end <= cut)
            whole++;
        assert_int_equal(wal_verdict(&w, 0, &n), 0);
        assert_in_range(n, whole, whole + 1); /* what was cut off may have been zeros */
    }
    wal_release(&w);
}

/* Bytes of a record that nothing depends on: zeros behind payloads. */
static bool is_padding(struct wal *w, const struct wal_record *rec, pfs_lsn at)
{
    const unsigned char *h = wal_byte(w, rec->lsn);
    unsigned n = h[46] | (unsigned)h[47] << 8;
    pfs_lsn pos = rec->lsn + PFS_RECORD_HEADER + (pfs_lsn)n * PFS_RECORD_ENTRY;

    for (unsigned i = 0; i < n && pos <= at; i++) {
        const unsigned char *e = h + PFS_RECORD_HEADER + (size_t)i * PFS_RECORD_ENTRY;
        uint32_t len = e[4] | (uint32_t)e[5] << 8;

        if (at >= pos + len && at < pos + (len + 7) / 8 * 8)
            return true;
        pos += (len + 7) / 8 * 8;
    }
    return false;
}

/* Of a pad only its header counts; a rest too short for one is skipped. */
static bool in_pad_header(const struct wal *w, const struct wal_record *rec, pfs_lsn at)
{
    pfs_lsn next = pfs_segment_start(&w->id, rec->from) + SEGMENT;

    if (rec->from == PFS_LSN_FIRST || rec->lsn - rec->from < PFS_RECORD_HEADER)
        return false;
    return next == rec->lsn && at < rec->from + PFS_RECORD_HEADER;
}

static void flip(struct wal *w, unsigned i, pfs_lsn at, unsigned bit)
{
    const struct wal_record *rec = &w->records[i];
    bool harmless = at >= rec->lsn ? is_padding(w, rec, at) : !in_pad_header(w, rec, at);
    pfs_lsn bad = at >= rec->lsn ? rec->lsn : rec->from;
    int want = proof_behind(w, at >= rec->lsn ? i + 1 : i, bad) ? PFS_ECORRUPT : 0, got;
    unsigned n;

    *wal_byte(w, at) ^= (unsigned char)(1u << bit);
    got = wal_verdict(w, 0, &n);
    if (harmless ? got != 0 || n != w->n : got != want || n != i)
        fail_msg("bit %u at %s of record %u: %s (%s), %u records are read", bit,
                 pfs_lsn_print(at).s, i, pfs_err_name(got), pfs_err_message(), n);
    if (got)
        assert_non_null(strstr(pfs_err_message(), ".seg: damaged or missing at offset"));
    *wal_byte(w, at) ^= (unsigned char)(1u << bit);
}

/* All bits of a byte, or one of them. */
static void flip_all(unsigned synced, unsigned step)
{
    struct wal w;
    unsigned n;

    build(&w, 5, synced);
    for (unsigned i = 0; i < w.n; i++)
        for (pfs_lsn at = w.records[i].from; at < w.records[i].end; at++)
            for (unsigned bit = at % step; bit < 8; bit += step)
                flip(&w, i, at, bit);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    wal_release(&w);
}

static void test_wal_reader__every_bit_of_a_synced_journal(void **state)
{
    const char *san = getenv("SAN");

    (void)state;
    flip_all(0xff, san && *san ? 8 : 1); /* sanitizers take their time */
}

static void test_wal_reader__a_bit_of_every_byte_where_few_were_synced(void **state)
{
    (void)state;
    flip_all(0x04, 8);
}

static void test_wal_reader__every_bit_of_a_segment_header(void **state)
{
    struct wal w;

    (void)state;
    build(&w, 8, 0xff);
    for (unsigned i = 0; i < 48 * 8; i++) {
        unsigned char *byte = wal_byte(&w, PFS_LSN_FIRST) - PFS_SEGMENT_HEADER + i / 8;
        unsigned n;

        *byte ^= (unsigned char)(1u << i % 8);
        assert_int_equal(wal_verdict(&w, 0, &n), PFS_ECORRUPT);
        assert_int_equal(n, 0);
        *byte ^= (unsigned char)(1u << i % 8);
    }
    wal_release(&w);
}

static void test_wal_reader__missing_segment(void **state)
{
    char name[PFS_SEGMENT_NAME];
    struct wal w;
    unsigned n;

    (void)state;
    build(&w, 12, 0xfff);
    pfs_segment_name(name, WAL_DIR, PFS_LSN_FIRST + SEGMENT);
    assert_int_equal(w.io->ops->unlink(w.io, name), 0);
    assert_int_equal(wal_verdict(&w, 0, &n), PFS_ECORRUPT);
    assert_in_range(n, 1, 11);
    assert_non_null(strstr(pfs_err_message(), name));
    wal_release(&w);
}

static void test_wal_reader__short_segment_behind_the_end_is_damage(void **state)
{
    char name[PFS_SEGMENT_NAME];
    struct wal w;
    unsigned n;

    (void)state;
    build(&w, 1, 0);
    pfs_segment_name(name, WAL_DIR, PFS_LSN_FIRST + SEGMENT);
    memio_put(w.io, name, "short", 5);
    assert_int_equal(wal_verdict(&w, 0, &n), PFS_ECORRUPT);
    assert_int_equal(n, 1);
    wal_release(&w);
}

static void test_wal_reader__truncated_segment(void **state)
{
    char name[PFS_SEGMENT_NAME];
    struct wal w;
    unsigned n;

    (void)state;
    build(&w, 3, 0);
    pfs_segment_name(name, WAL_DIR, PFS_LSN_FIRST);
    memio_resize(w.io, name, PFS_SEGMENT_HEADER + SEGMENT - 1);
    assert_int_equal(wal_verdict(&w, 0, &n), PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), name));
    wal_release(&w);
}

static void test_wal_reader__disk_that_cannot_be_read_is_no_torn_tail(void **state)
{
    struct wal w;
    unsigned n, nth = 0;
    int err;

    (void)state;
    build(&w, 12, 0);
    do {
        memio_fail_at(w.io, ++nth, PFS_EIO, false);
        err = wal_verdict(&w, 0, &n);
        assert_int_equal(err, memio_failed(w.io) ? PFS_EIO : 0);
    } while (memio_failed(w.io));
    assert_in_range(nth, 5, 100);
    wal_release(&w);
}

/* An older life wrote A B C D, the next one A x where B, C and D had stood: what is left of D
 * stands right behind x, whole and at its place, and is not a part of this history. */
static void test_wal_reader__older_life_is_not_followed(void **state)
{
    unsigned char old[160];
    struct wal w;
    unsigned n;

    (void)state;
    wal_init(&w, 1024);
    wal_add_len(&w, 1, 80);
    wal_add_len(&w, 2, 80);
    wal_add_len(&w, 3, 80);
    wal_add_len(&w, 4, 80);
    wal_close(&w);
    memcpy(old, wal_byte(&w, w.records[3].lsn), 160);
    wal_open(&w, 1);
    wal_add_len(&w, 20, 80 + 160 - PFS_RECORD_HEADER); /* beginning to write wrote a pad */
    wal_close(&w);
    assert_int_equal(w.records[1].end, w.records[3].lsn);
    assert_memory_equal(old, wal_byte(&w, w.records[1].end), 160);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 2);
    wal_release(&w);
}

static void test_wal_reader__prev_must_be_the_one_asked_for(void **state)
{
    struct pfs_reader *reader;
    struct pfs_entry *entries;
    struct pfs_record rec;
    struct wal w;

    (void)state;
    build(&w, 3, 0);
    assert_int_equal(pfs_reader_create(w.io, WAL_DIR, &w.id, w.records[1].lsn, 0x123456, &reader),
                     0);
    assert_int_equal(pfs_reader_next(reader, &rec, &entries), PFS_ETORN);
    assert_non_null(strstr(pfs_err_message(), "older life"));
    pfs_reader_destroy(reader);
    wal_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_reader__reads_back_and_ends_torn),
        cmocka_unit_test(test_wal_reader__every_cut_is_a_torn_tail),
        cmocka_unit_test(test_wal_reader__every_bit_of_a_synced_journal),
        cmocka_unit_test(test_wal_reader__a_bit_of_every_byte_where_few_were_synced),
        cmocka_unit_test(test_wal_reader__every_bit_of_a_segment_header),
        cmocka_unit_test(test_wal_reader__missing_segment),
        cmocka_unit_test(test_wal_reader__short_segment_behind_the_end_is_damage),
        cmocka_unit_test(test_wal_reader__truncated_segment),
        cmocka_unit_test(test_wal_reader__disk_that_cannot_be_read_is_no_torn_tail),
        cmocka_unit_test(test_wal_reader__older_life_is_not_followed),
        cmocka_unit_test(test_wal_reader__prev_must_be_the_one_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
