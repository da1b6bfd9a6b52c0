/* Sealed documents: what a flipped bit, a cut and a failing disk do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "fs/pages/sealed.h"
#include "tests/lib/memio.h"

#define NAME  "d/doc"
#define MAGIC "pagefs-test"

static int setup(void **state)
{
    *state = memio_create();
    return 0;
}

static int teardown(void **state)
{
    struct pfs_io *io = *state;

    io->ops->destroy(io);
    return 0;
}

static int write_doc(struct pfs_io *io, unsigned version, int64_t number)
{
    json_t *doc = json_pack("{s:s, s:I, s:o}", "text", "hello", "number", (json_int_t)number, "big",
                            pfs_json_hex64(UINT64_C(0xfedcba9876543210)));
    int err = pfs_sealed_write(io, "d", NAME, MAGIC, version, doc);

    json_decref(doc);
    return err;
}

/* The number in it, or the error. */
static int64_t read_doc(struct pfs_io *io)
{
    uint64_t number = 0, big = 0;
    json_t *doc;
    int err = pfs_sealed_read(io, NAME, MAGIC, 1, &doc);

    if (err)
        return err;
    assert_int_equal(pfs_json_get_uint(doc, "number", &number), 0);
    assert_int_equal(pfs_json_get_hex64(doc, "big", &big), 0);
    assert_true(big == UINT64_C(0xfedcba9876543210));
    assert_string_equal(json_string_value(json_object_get(doc, "text")), "hello");
    json_decref(doc);
    return (int64_t)number;
}

static void test_pages_sealed__comes_back(void **state)
{
    struct pfs_io *io = *state;
    const char *text;
    size_t len;

    assert_int_equal(read_doc(io), PFS_ENOENT);
    assert_int_equal(write_doc(io, 1, 42), 0);
    assert_int_equal(read_doc(io), 42);
    assert_int_equal(write_doc(io, 1, 43), 0);
    assert_int_equal(read_doc(io), 43);
    text = (char *)memio_bytes(io, NAME, &len);
    assert_memory_equal(text, MAGIC " 1 ", strlen(MAGIC) + 3);
    assert_int_equal(text[len - 1], '\n');
}

/* A flip is found out, or it changed nothing that counts (a digit's case in the first line). */
static void test_pages_sealed__every_flipped_bit(void **state)
{
    struct pfs_io *io = *state;
    unsigned char *bytes;
    unsigned harmless = 0;
    size_t len;

    assert_int_equal(write_doc(io, 1, 42), 0);
    bytes = memio_bytes(io, NAME, &len);
    for (size_t i = 0; i < len * 8; i++) {
        int64_t got;

        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        got = read_doc(io);
        if (got == 42)
            harmless++;
        else if (got != PFS_ECORRUPT && got != PFS_EVERSION)
            fail_msg("bit %zu: %lld", i, (long long)got);
        else
            assert_non_null(strstr(pfs_err_message(), NAME));
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    assert_in_range(harmless, 0, 20);
}

static void test_pages_sealed__every_cut(void **state)
{
    struct pfs_io *io = *state;
    unsigned char *bytes, *copy;
    size_t len;

    assert_int_equal(write_doc(io, 1, 42), 0);
    bytes = memio_bytes(io, NAME, &len);
    copy = malloc(len + 1);
    memcpy(copy, bytes, len);
    assert_in_range(len, 50, 200);
    for (size_t cut = 0; cut < len; cut++) {
        memio_put(io, NAME, copy, cut);
        assert_int_equal(read_doc(io), PFS_ECORRUPT);
    }
    copy[len] = '\n';
    memio_put(io, NAME, copy, len + 1); /* nor may more follow */
    assert_int_equal(read_doc(io), PFS_ECORRUPT);
    free(copy);
}

static void test_pages_sealed__newer_and_foreign(void **state)
{
    struct pfs_io *io = *state;
    json_t *doc;

    assert_int_equal(write_doc(io, 2, 42), 0);
    assert_int_equal(read_doc(io), PFS_EVERSION);
    assert_non_null(strstr(pfs_err_message(), "use a newer pagefs"));
    assert_int_equal(write_doc(io, 1, 42), 0);
    assert_int_equal(pfs_sealed_read(io, NAME, "pagefs-other", 1, &doc), PFS_ECORRUPT);
    assert_int_equal(pfs_sealed_read(io, NAME, "pagefs-tes", 1, &doc), PFS_ECORRUPT);
}

/* A writer gone wrong: the seal is right, what it seals isn't. */
static void test_pages_sealed__sealed_nonsense(void **state)
{
    static const char *const bodies[] = {"", "{", "{}x", "{\"a\":1,\"a\":2}", "nothing", "\0\0"};
    struct pfs_io *io = *state;
    json_t *doc;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[200];
        int n = snprintf(text, sizeof(text), MAGIC " 1 %zu %016llx\n%s", strlen(bodies[i]),
                         (unsigned long long)pfs_checksum(bodies[i], strlen(bodies[i])), bodies[i]);

        memio_put(io, NAME, text, (size_t)n);
        assert_int_equal(pfs_sealed_read(io, NAME, MAGIC, 1, &doc), PFS_ECORRUPT);
    }
}

/* Whatever fails while one is replaced, the old one or the new one is there, whole. */
static void test_pages_sealed__replaced_or_not(void **state)
{
    struct pfs_io *io = *state;
    unsigned nth = 0;
    int err;

    assert_int_equal(write_doc(io, 1, 1), 0);
    do {
        int64_t got;

        memio_fail_at(io, ++nth, PFS_ENOSPC, true);
        err = write_doc(io, 1, 2);
        memio_fail_at(io, 0, 0, false);
        got = read_doc(io);
        assert_true(got == 2 || (err && got == 1));
        assert_int_equal(write_doc(io, 1, 1), 0); /* what a failure left is not in the way */
    } while (err);
    assert_in_range(nth, 5, 10);
}

static void test_pages_sealed__numbers(void **state)
{
    json_t *doc =
        json_pack("{s:i, s:i, s:s, s:s, s:s, s:f}", "plus", 5, "minus", -5, "hex",
                  "00000000000000ff", "short", "ff", "bad", "000000000000000g", "real", 1.5);
    uint64_t v = 0;

    (void)state;
    assert_int_equal(pfs_json_get_uint(doc, "plus", &v), 0);
    assert_int_equal(v, 5);
    assert_int_equal(pfs_json_get_hex64(doc, "hex", &v), 0);
    assert_int_equal(v, 255);
    assert_int_equal(pfs_json_get_uint(doc, "minus", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_uint(doc, "hex", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_uint(doc, "real", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_uint(doc, "none", &v), PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), "'none'"));
    assert_int_equal(pfs_json_get_hex64(doc, "plus", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_hex64(doc, "short", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_hex64(doc, "bad", &v), PFS_ECORRUPT);
    assert_int_equal(pfs_json_get_hex64(doc, "none", &v), PFS_ECORRUPT);
    json_decref(doc);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_sealed__comes_back),          TEST(test_pages_sealed__every_flipped_bit),
        TEST(test_pages_sealed__every_cut),           TEST(test_pages_sealed__newer_and_foreign),
        TEST(test_pages_sealed__sealed_nonsense),     TEST(test_pages_sealed__replaced_or_not),
        cmocka_unit_test(test_pages_sealed__numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
