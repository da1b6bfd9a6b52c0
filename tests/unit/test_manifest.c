/* The manifest of a branch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pages/manifest.h"
#include "fs/pages/sealed.h"
#include "tests/lib/memio.h"
#include "wal/segment.h"

#define MAGIC "pagefs-manifest"

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

/* n layers of 1000 bytes of journal each. */
static struct pfs_manifest make(unsigned n)
{
    struct pfs_manifest m = {.uuid = "\xff\x80 uuid of vol",
                             .branch_id = 12,
                             .flushed = PFS_LSN_FIRST + 1000 * n,
                             .flushed_prev = UINT64_MAX,
                             .durable = PFS_LSN_FIRST + 1000 * n + 500,
                             .next_ino = 77,
                             .next_layer = n + 1};

    for (unsigned i = 0; i < n; i++) {
        struct pfs_layer_info info = {.branch = 12,
                                      .lsn_from = PFS_LSN_FIRST + 1000 * i,
                                      .lsn_to = PFS_LSN_FIRST + 1000 * (i + 1),
                                      .entries = i,
                                      .raw_bytes = 10 * i,
                                      .size_bytes = 20 * i,
                                      .checksum = ~(uint64_t)i};

        memcpy(info.uuid, m.uuid, 16);
        assert_int_equal(pfs_manifest_add(&m, i + 1, &info), 0);
    }
    return m;
}

static void same(const struct pfs_manifest *x, const struct pfs_manifest *y)
{
    assert_memory_equal(x->uuid, y->uuid, 16);
    assert_int_equal(x->branch_id, y->branch_id);
    assert_int_equal(x->flushed, y->flushed);
    assert_true(x->flushed_prev == y->flushed_prev);
    assert_int_equal(x->durable, y->durable);
    assert_int_equal(x->next_ino, y->next_ino);
    assert_int_equal(x->next_layer, y->next_layer);
    assert_int_equal(x->n_layers, y->n_layers);
    for (unsigned i = 0; i < x->n_layers; i++) {
        assert_int_equal(x->layers[i].number, y->layers[i].number);
        assert_memory_equal(&x->layers[i].info, &y->layers[i].info, sizeof(x->layers[i].info));
    }
}

static void test_pages_manifest__comes_back(void **state)
{
    struct pfs_io *io = *state;

    for (unsigned n = 0; n <= 100; n += 20) {
        struct pfs_manifest m = make(n), back;

        assert_int_equal(pfs_manifest_write(io, "b", &m), 0);
        assert_int_equal(pfs_manifest_read(io, "b", &back), 0);
        same(&back, &m);
        pfs_manifest_release(&back);
        pfs_manifest_release(&m);
    }
}

static void test_pages_manifest__names_of_layers(void **state)
{
    char name[256];

    (void)state;
    pfs_manifest_layer_name(name, "branches/1", 10);
    assert_string_equal(name, "branches/1/layers/000000000000000a.delta");
}

/* Reading it fails so, and says which file. */
static void refused(struct pfs_io *io, int err)
{
    struct pfs_manifest m;

    assert_int_equal(pfs_manifest_read(io, "b", &m), err);
    assert_int_equal(m.n_layers, 0);
    assert_null(m.layers);
    assert_non_null(strstr(pfs_err_message(), "b/manifest"));
}

static void test_pages_manifest__missing_or_damaged(void **state)
{
    struct pfs_io *io = *state;
    struct pfs_manifest m = make(3);
    unsigned char *bytes;
    size_t len;

    refused(io, PFS_ENOENT);
    assert_int_equal(pfs_manifest_write(io, "b", &m), 0);
    bytes = memio_bytes(io, "b/manifest", &len);
    for (size_t i = 60; i < len; i += 7) {
        bytes[i] ^= 1;
        refused(io, PFS_ECORRUPT);
        bytes[i] ^= 1;
    }
    pfs_manifest_release(&m);
}

/* Layers must follow each other without a gap and end where it was flushed. */
static void test_pages_manifest__layers_must_fit(void **state)
{
    struct pfs_io *io = *state;

    for (unsigned i = 0; i < 8; i++) {
        struct pfs_manifest m = make(3);

        switch (i) {
        case 0:
            m.layers[1].info.lsn_from++;
            break;
        case 1:
            m.layers[1].info.lsn_to--;
            break;
        case 2:
            m.layers[2].info.lsn_to = m.layers[2].info.lsn_from;
            break;
        case 3:
            m.flushed += 8;
            break;
        case 4:
            m.n_layers = 2;
            break;
        case 5:
            m.n_layers = 0;
            break;
        case 6:
            m.layers[0].info.lsn_from += 8; /* history would begin too late */
            break;
        default:
            m.durable = m.flushed - 8;
        }
        assert_int_equal(pfs_manifest_write(io, "b", &m), 0);
        refused(io, PFS_ECORRUPT);
        pfs_manifest_release(&m);
    }
}

/* Sealed well, but a key is missing or of the wrong sort. */
static void test_pages_manifest__every_key_is_needed(void **state)
{
    static const char *const keys[] = {"uuid_high", "uuid_low",     "branch",
                                       "flushed",   "flushed_prev", "durable",
                                       "next_ino",  "next_layer",   "layers"};
    static const char *const layer_keys[] = {"number",    "from",       "to",      "entries",
                                             "raw_bytes", "size_bytes", "checksum"};
    struct pfs_io *io = *state;
    struct pfs_manifest m = make(2);

    for (unsigned i = 0; i < 2 * (9 + 7); i++) {
        const char *key = i / 2 < 9 ? keys[i / 2] : layer_keys[i / 2 - 9];
        json_t *doc, *object;

        assert_int_equal(pfs_manifest_write(io, "b", &m), 0);
        assert_int_equal(pfs_sealed_read(io, "b/manifest", MAGIC, PFS_MANIFEST_VERSION, &doc), 0);
        object = i / 2 < 9 ? doc : json_array_get(json_object_get(doc, "layers"), 1);
        assert_non_null(json_object_get(object, key));
        if (i % 2)
            json_object_del(object, key);
        else
            json_object_set_new(object, key, json_true());
        assert_int_equal(pfs_sealed_write(io, "b", "b/manifest", MAGIC, PFS_MANIFEST_VERSION, doc),
                         0);
        json_decref(doc);
        refused(io, PFS_ECORRUPT);
    }
    pfs_manifest_release(&m);
}

static void test_pages_manifest__newer(void **state)
{
    struct pfs_io *io = *state;
    json_t *doc = json_object();

    assert_int_equal(pfs_sealed_write(io, "b", "b/manifest", MAGIC, PFS_MANIFEST_VERSION + 1, doc),
                     0);
    json_decref(doc);
    refused(io, PFS_EVERSION);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_manifest__comes_back),
        cmocka_unit_test(test_pages_manifest__names_of_layers),
        TEST(test_pages_manifest__missing_or_damaged),
        TEST(test_pages_manifest__layers_must_fit),
        TEST(test_pages_manifest__every_key_is_needed),
        TEST(test_pages_manifest__newer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
