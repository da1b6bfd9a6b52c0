/* Damaged, foreign and newer layers: always an error, never wrong data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pages/layer_format.h"
#include "fs/pages/layer_impl.h"
#include "tests/lib/layer_mend.h"
#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"

struct fixture {
    struct pfs_io *io;
    struct pfs_block_cache *cache;
    struct model m;
    struct pfs_layer_info info;
    unsigned char *bytes; /* of the good layer */
    size_t len;
};

/* A small layer with metadata, a packed and a raw block. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    unsigned char *bytes;

    if (!f || pfs_block_cache_create(1 << 20, &f->cache))
        return -1;
    f->io = memio_create();
    for (uint64_t i = 0; i < 6; i++)
        model_add(&f->m, pfs_key(PFS_KEY_INODE, i, 0), 1900 - i, PFS_KIND_VALUE, 20, i % 2 == 0);
    for (uint64_t i = 0; i < 9; i++)
        model_add(&f->m, pfs_key(PFS_KEY_PAGE, 3, i), 1400 + i, PFS_KIND_VALUE, i > 5 ? 300 : 8192,
                  i < 6);
    model_add(&f->m, pfs_key(PFS_KEY_PAGE, 4, 1), 1700, PFS_KIND_DELETE, 0, true);
    model_add(&f->m, pfs_key(PFS_KEY_PAGE, 4, 2), 1700, PFS_KIND_VALUE, 34000, true);
    model_add(&f->m, pfs_key(PFS_KEY_PAGE, 4, 3), 1700, PFS_KIND_VALUE, 500, false);
    if (model_write(&f->m, f->io, "good", &f->info))
        return -1;
    bytes = memio_bytes(f->io, "good", &f->len);
    f->bytes = malloc(f->len);
    if (!f->bytes)
        return -1;
    memcpy(f->bytes, bytes, f->len);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pfs_block_cache_destroy(f->cache);
    f->io->ops->destroy(f->io);
    model_release(&f->m);
    free(f->bytes);
    free(f);
    return 0;
}

/* The file "bad" isn't the good layer. Opening or verifying it must say so, in a message that names
 * file and place; whatever it lets us read must be right. With and without the manifest's word. */
static void assert_found_out(struct fixture *f)
{
    for (int expected = 0; expected < 2; expected++) {
        struct pfs_layer *layer;
        size_t wrong;
        int err = pfs_layer_open(f->io, "bad", expected ? &f->info : NULL, f->cache, &layer);

        if (!err) {
            err = model_compare(&f->m, layer, &wrong);
            assert_true(err == 0 || err == PFS_ECORRUPT);
            assert_int_equal(wrong, 0);
            if (!err)
                err = pfs_layer_verify(layer, NULL, NULL);
            else
                assert_non_null(strstr(pfs_err_message(), "offset"));
            pfs_layer_close(layer);
        } else {
            assert_non_null(strstr(pfs_err_message(), "offset"));
        }
        assert_int_equal(err, PFS_ECORRUPT);
        assert_non_null(strstr(pfs_err_message(), "bad: "));
    }
}

static void test_layer_damage__every_flipped_byte_is_found(void **state)
{
    struct fixture *f = *state;

    memio_put(f->io, "bad", f->bytes, f->len);
    for (size_t i = 0; i < f->len; i++) {
        size_t len;
        unsigned char *at = memio_bytes(f->io, "bad", &len) + i;

        *at ^= (unsigned char)(1 << i % 8);
        assert_found_out(f);
        *at ^= (unsigned char)(1 << i % 8);
    }
}

static void test_layer_damage__every_truncation_is_found(void **state)
{
    struct fixture *f = *state;

    for (size_t len = 0; len < f->len; len++) {
        memio_put(f->io, "bad", f->bytes, len);
        assert_found_out(f);
    }
}

static void test_layer_damage__zeros_and_tails_are_found(void **state)
{
    struct fixture *f = *state;

    for (size_t from = 0; from < f->len; from += 512) {
        size_t len;

        memio_put(f->io, "bad", f->bytes, f->len);
        memset(memio_bytes(f->io, "bad", &len) + from, 0,
               f->len - from < 512 ? f->len - from : 512);
        assert_found_out(f);
        memset(memio_bytes(f->io, "bad", &len) + from, 0, f->len - from);
        assert_found_out(f);
    }
    for (size_t more = 1; more < 4096; more *= 3) {
        memio_put(f->io, "bad", f->bytes, f->len);
        memio_resize(f->io, "bad", f->len + more);
        assert_found_out(f);
    }
}

/* A right block in the wrong place, its own checksum intact. */
static void test_layer_damage__swapped_blocks_are_found(void **state)
{
    struct fixture *f = *state;
    struct pfs_layer *layer;
    size_t len;
    unsigned char *bad;

    assert_int_equal(pfs_layer_open(f->io, "good", &f->info, f->cache, &layer), 0);
    assert_true(layer->footer.blocks >= 3);
    memio_put(f->io, "bad", f->bytes, f->len);
    bad = memio_bytes(f->io, "bad", &len);
    memmove(bad + layer->index[1].offset, f->bytes + layer->index[0].offset,
            pfs_min64(layer->index[0].stored_len, layer->index[1].stored_len));
    pfs_layer_close(layer);
    assert_found_out(f);
}

static void expect_refused(struct fixture *f, const struct pfs_layer_info *want, const char *text)
{
    struct pfs_layer *layer;

    assert_int_equal(pfs_layer_open(f->io, "good", want, f->cache, &layer), PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), "good: "));
    assert_non_null(strstr(pfs_err_message(), text));
}

static void test_layer_damage__foreign_layer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pfs_layer_info want[9];

    for (int i = 0; i < 9; i++)
        want[i] = f->info;
    want[0].uuid[15] ^= 1;
    want[1].branch++;
    want[2].lsn_from++;
    want[3].lsn_to++;
    want[4].size_bytes--;
    want[5].entries--;
    want[6].raw_bytes--;
    want[7].checksum++;
    want[8].branch = 0;
    expect_refused(f, &want[0], "another volume");
    expect_refused(f, &want[1], "another branch");
    expect_refused(f, &want[2], "LSN range");
    expect_refused(f, &want[3], "LSN range");
    expect_refused(f, &want[4], "size");
    expect_refused(f, &want[5], "content");
    expect_refused(f, &want[6], "content");
    expect_refused(f, &want[7], "content");
    expect_refused(f, &want[8], "another branch");
}

static void test_layer_damage__newer_version_is_told_from_damage(void **state)
{
    struct fixture *f = *state;
    struct pfs_layer *layer;
    unsigned char *tail;
    size_t len;

    memio_put(f->io, "bad", f->bytes, f->len);
    tail = memio_bytes(f->io, "bad", &len) + f->len - 16;
    pfs_put32(tail, 9);
    pfs_put32(tail + 4, ~UINT32_C(9));
    assert_int_equal(pfs_layer_open(f->io, "bad", NULL, f->cache, &layer), PFS_EVERSION);
    assert_non_null(strstr(pfs_err_message(), "bad: layer format version 9"));
    assert_non_null(strstr(pfs_err_message(), "none above 1"));
}

struct reports {
    unsigned count;
    uint64_t offsets[8];
    char last[300];
};

static void on_damage(void *ctx, uint64_t offset, const char *text)
{
    struct reports *r = ctx;

    assert_non_null(strstr(text, "offset"));
    if (r->count < 8)
        r->offsets[r->count] = offset;
    snprintf(r->last, sizeof(r->last), "%s", text);
    r->count++;
}

static void test_layer_damage__verify_reports_each_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct reports r = {0};
    struct pfs_layer *layer;
    unsigned char *bad;
    uint64_t first, last;
    size_t len;

    memio_put(f->io, "bad", f->bytes, f->len);
    assert_int_equal(pfs_layer_open(f->io, "bad", &f->info, f->cache, &layer), 0);
    bad = memio_bytes(f->io, "bad", &len);
    first = layer->index[0].offset;
    last = layer->index[layer->footer.blocks - 1].offset;
    bad[20] ^= 1; /* the header's uuid */
    bad[first + 5] ^= 1;
    bad[last + 5] ^= 1;
    bad[layer->footer.filter_offset] ^= 1;
    assert_int_equal(pfs_layer_verify(layer, on_damage, &r), PFS_ECORRUPT);
    assert_int_equal(r.count, 4);
    assert_int_equal(r.offsets[0], 0);
    assert_int_equal(r.offsets[1], layer->footer.filter_offset);
    assert_int_equal(r.offsets[2], first);
    assert_int_equal(r.offsets[3], last);

    memio_put(f->io, "bad", f->bytes, f->len); /* mended */
    assert_int_equal(pfs_layer_verify(layer, NULL, NULL), 0);
    pfs_layer_close(layer);
}

static void test_layer_damage__message_names_file_and_offset(void **state)
{
    struct fixture *f = *state;
    struct pfs_layer *layer;
    unsigned char *raw;
    uint32_t raw_len;
    size_t len;

    memio_put(f->io, "bad", f->bytes, f->len);
    assert_int_equal(pfs_layer_open(f->io, "bad", NULL, f->cache, &layer), 0);
    memio_bytes(f->io, "bad", &len)[PFS_LAYER_HEADER_BYTES] ^= 1;
    assert_int_equal(pfs_layer_load_block(layer, 0, &raw, &raw_len), PFS_ECORRUPT);
    assert_string_equal(pfs_err_message(), "bad: block at offset 64: checksum mismatch");
    pfs_layer_close(layer);
}

/* Four inodes of 1032 bytes in block 0, 4148 bytes, and a page in block 1; both are stored raw. */
static const unsigned char *structure_layer(struct fixture *f, struct pfs_layer_footer *footer)
{
    struct model m = {0};
    struct pfs_layer_info info;
    const unsigned char *bytes;
    size_t len;

    for (uint64_t i = 0; i < 4; i++)
        model_add(&m, pfs_key(PFS_KEY_INODE, i, 0), 1500, PFS_KIND_VALUE, 1000, false);
    model_add(&m, pfs_key(PFS_KEY_PAGE, 0, 0), 1500, PFS_KIND_VALUE, 34000, false);
    assert_int_equal(model_write(&m, f->io, "raw", &info), 0);
    model_release(&m);
    bytes = memio_bytes(f->io, "raw", &len);
    assert_int_equal(
        pfs_layer_footer_decode(bytes + len - PFS_LAYER_FOOTER_BYTES, "raw", len, footer), 0);
    return bytes;
}

/* What checksums can't tell: a file that says what it was meant to say, and that is nonsense. */
static void test_layer_damage__nonsense_with_right_checksums_is_found(void **state)
{
    enum { BLOCK, INDEX, FILTER, FOOTER };
    static const struct {
        int part;
        unsigned offset;
        unsigned len;
        uint64_t value;
        const char *text;
    } tries[] = {
        {BLOCK, 1, 1, 9, "an entry of an unknown kind"},
        {BLOCK, 3, 1, 1, "an entry of an unknown kind"},
        {BLOCK, 4, 4, 1001, "wrong offset of an entry"},
        {BLOCK, 4, 4, UINT32_MAX, "a value passes the end"},
        {BLOCK, 24, 8, 1000, "an LSN outside"},
        {BLOCK, 24, 8, 2001, "an LSN outside"},
        {BLOCK, 16, 8, 1, "its first entry isn't what the index says"},
        {BLOCK, 1032 + 8, 8, 0, "entries out of order"},
        {BLOCK, 3 * 1032, 1, PFS_KEY_PAGE + 1, "its last entry comes after the next block"},
        {BLOCK, 3 * 1032 + 4, 4, 999, "bytes that belong to no entry"},
        {BLOCK, 4 * 1032 + 16, 4, 0, "wrong number of entries"},
        {BLOCK, 4 * 1032 + 16, 4, 116, "wrong number of entries"},
        {BLOCK, 4 * 1032 + 16, 4, UINT32_MAX, "wrong number of entries"},
        {INDEX, 1, 1, 1, "zeros are missing"},
        {INDEX, 32, 4, 0, "impossible length of a block"},
        {INDEX, 32, 4, 4149, "impossible length of a block"},
        {INDEX, 36, 4, UINT32_MAX, "impossible length of a block"},
        {INDEX, 36, 4, 4149, "cannot be unpacked"},
        {INDEX, 48, 1, 1, "blocks out of order"},
        {INDEX, 48 + 32, 8, UINT64_C(40000) << 32 | 40000, "a block passes the index"},
        {INDEX, 48 + 32, 4, 34000, "belong to no block"},
        {FILTER, 0, 4, 0, "lacks a key"},
        {FOOTER, 0, 8, UINT64_MAX, "the parts don't fill the file"},
        {FOOTER, 8, 8, UINT64_MAX, "longer than any"},
        {FOOTER, 24, 8, 64, "the parts don't fill the file"},
        {FOOTER, 32, 8, 1 << 27, "longer than any"},
        {FOOTER, 48, 8, 6, "its counts are wrong"},
        {FOOTER, 56, 8, 6, "its counts are wrong"},
        {FOOTER, 64, 8, 4, "its counts are wrong"},
        {FOOTER, 64, 8, 0, "filter length and key count disagree"},
        {FOOTER, 64, 8, UINT64_MAX, "filter length and key count disagree"},
        {FOOTER, 72, 8, 3000, "its LSN range ends before it starts"},
        {FOOTER, 108, 4, UINT32_MAX, "index length and block count disagree"},
        {FOOTER, 112, 1, 1, "zeros are missing"},
    };
    struct fixture *f = *state;
    struct pfs_layer_footer footer;
    const unsigned char *good = structure_layer(f, &footer);
    size_t len = footer.info.size_bytes;
    const size_t parts[] = {[BLOCK] = PFS_LAYER_HEADER_BYTES,
                            [INDEX] = footer.index_offset,
                            [FILTER] = footer.filter_offset,
                            [FOOTER] = len - PFS_LAYER_FOOTER_BYTES};

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct pfs_layer *layer;
        unsigned char value[8], *bad;
        struct reports r = {0};
        int err;

        memio_put(f->io, "bad", good, len);
        bad = memio_bytes(f->io, "bad", &len);
        pfs_put64(value, tries[i].value);
        memcpy(bad + parts[tries[i].part] + tries[i].offset, value, tries[i].len);
        layer_mend(bad, len);
        err = pfs_layer_open(f->io, "bad", NULL, f->cache, &layer);
        if (!err) {
            err = pfs_layer_verify(layer, on_damage, &r);
            assert_in_range(r.count, 1, 5);
            pfs_layer_close(layer);
        } else {
            snprintf(r.last, sizeof(r.last), "%s", pfs_err_message());
        }
        assert_int_equal(err, PFS_ECORRUPT);
        if (!strstr(r.last, tries[i].text))
            fail_msg("try %zu: \"%s\" should be \"%s\"", i, r.last, tries[i].text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_layer_damage__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_flipped_byte_is_found),
        TEST(every_truncation_is_found),
        TEST(zeros_and_tails_are_found),
        TEST(swapped_blocks_are_found),
        TEST(foreign_layer_is_refused),
        TEST(newer_version_is_told_from_damage),
        TEST(verify_reports_each_and_goes_on),
        TEST(message_names_file_and_offset),
        TEST(nonsense_with_right_checksums_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
