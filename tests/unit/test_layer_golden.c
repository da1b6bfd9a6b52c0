/* golden/layer_v1.bin is a layer as version 1 of the format made it. It must be readable for ever,
 * and the writer must still make the same. What zstd makes of a block may change with its version,
 * so packed blocks are compared unpacked, and their lengths and checksums not at all.
 *
 * Run with WRITE_GOLDEN=1, it replaces the file instead: for a new version of the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pages/layer_format.h"
#include "fs/pages/layer_impl.h"
#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"

#define DIRECTORY "tests/unit/golden"
#define NAME      "layer_v1.bin"

/* Some of each: types, kinds, versions of a key, a group of names, blocks packed and not. */
static struct model golden_model(void)
{
    struct model m = {0};

    for (uint64_t i = 1; i <= 20; i++)
        model_add(&m, pfs_key(PFS_KEY_INODE, i, 0), 1100 + i, PFS_KIND_VALUE, 80, true);
    model_add(&m, pfs_key(PFS_KEY_ORPHAN, 3, 0), 1200, PFS_KIND_VALUE, 0, true);
    for (uint64_t i = 0; i < 12; i++)
        model_add(&m, pfs_key(PFS_KEY_DENTRY, 1, UINT64_C(0x7000000000000000) + i), 1300,
                  i % 4 == 3 ? PFS_KIND_DELETE : PFS_KIND_VALUE, i % 4 == 3 ? 0 : 30, false);
    model_add(&m, pfs_key(PFS_KEY_XATTR, 1, 8), 2000, PFS_KIND_VALUE, 100, false);
    for (uint64_t blk = 0; blk < 6; blk++) {
        model_add(&m, pfs_key(PFS_KEY_PAGE, 2, blk), 1903, PFS_KIND_DELTA, 40, false);
        model_add(&m, pfs_key(PFS_KEY_PAGE, 2, blk), 1500, PFS_KIND_VALUE, 8192, true);
        model_add(&m, pfs_key(PFS_KEY_PAGE, 2, blk), 1001, PFS_KIND_ZERO, 0, true);
    }
    model_add(&m, pfs_key(PFS_KEY_PAGE, 3, UINT64_MAX), 1002, PFS_KIND_VALUE, 40000, true);
    model_add(&m, pfs_key(PFS_KEY_PAGE, 4, 0), 1002, PFS_KIND_VALUE, 2000, false);
    return m;
}

static int write_golden(void)
{
    struct model m = golden_model();
    struct pfs_layer_info info;
    struct pfs_io *io;
    int err = pfs_io_posix_create(DIRECTORY, &io);

    if (err)
        return err;
    (void)!io->ops->unlink(io, NAME);
    err = model_write(&m, io, NAME, &info);
    io->ops->destroy(io);
    model_release(&m);
    return err;
}

struct fixture {
    struct model m;
    struct pfs_io *io;
    struct pfs_block_cache *cache;
    struct pfs_layer *golden, *now;
    unsigned char *golden_bytes, *now_bytes;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pfs_io *disk;
    struct pfs_layer_info info;
    void *bytes;
    size_t len;

    if (!f || pfs_io_posix_create(DIRECTORY, &disk) ||
        pfs_io_read_file(disk, NAME, 1 << 20, &bytes, &len))
        return -1;
    disk->ops->destroy(disk);
    f->m = golden_model();
    f->io = memio_create();
    memio_put(f->io, NAME, bytes, len);
    free(bytes);
    if (pfs_block_cache_create(1 << 20, &f->cache) || model_write(&f->m, f->io, "now", &info) ||
        pfs_layer_open(f->io, "now", &info, f->cache, &f->now) ||
        pfs_layer_open(f->io, NAME, NULL, f->cache, &f->golden))
        return -1;
    f->golden_bytes = memio_bytes(f->io, NAME, &len);
    f->now_bytes = memio_bytes(f->io, "now", &len);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pfs_layer_close(f->golden);
    pfs_layer_close(f->now);
    pfs_block_cache_destroy(f->cache);
    f->io->ops->destroy(f->io);
    model_release(&f->m);
    free(f);
    return 0;
}

static void test_layer_golden__is_read(void **state)
{
    struct fixture *f = *state;
    size_t wrong;

    assert_int_equal(pfs_layer_verify(f->golden, NULL, NULL), 0);
    assert_int_equal(model_compare(&f->m, f->golden, &wrong), 0);
    assert_int_equal(wrong, 0);
}

static void test_layer_golden__header_and_filter_are_still_written_so(void **state)
{
    struct fixture *f = *state;

    assert_memory_equal(f->golden_bytes, f->now_bytes, PFS_LAYER_HEADER_BYTES);
    assert_int_equal(f->golden->footer.filter_len, f->now->footer.filter_len);
    assert_memory_equal(f->golden->filter, f->now->filter, f->now->footer.filter_len);
    assert_int_equal(f->golden->footer.filter_checksum, f->now->footer.filter_checksum);
}

/* Entries, raw bytes, keys, LSN range, uuid, branch, blocks, zeros; version and magic. */
static void test_layer_golden__footer_is_still_written_so(void **state)
{
    struct fixture *f = *state;
    const unsigned char *golden = f->golden_bytes + f->golden->footer.info.size_bytes,
                        *now = f->now_bytes + f->now->footer.info.size_bytes;

    golden -= PFS_LAYER_FOOTER_BYTES;
    now -= PFS_LAYER_FOOTER_BYTES;
    assert_memory_equal(golden + 48, now + 48, PFS_LAYER_FOOTER_CHECKSUM - 48);
    assert_memory_equal(golden + PFS_LAYER_FOOTER_TAIL, now + PFS_LAYER_FOOTER_TAIL, 16);
}

static void test_layer_golden__index_and_blocks_are_still_written_so(void **state)
{
    struct fixture *f = *state;
    unsigned packed = 0;

    assert_int_equal(f->golden->footer.blocks, f->now->footer.blocks);
    for (uint32_t i = 0; i < f->now->footer.blocks; i++) {
        const struct pfs_layer_index *old = &f->golden->index[i], *new = &f->now->index[i];
        const unsigned char *old_bytes =
            f->golden_bytes + f->golden->footer.index_offset + i * PFS_LAYER_INDEX_ENTRY_BYTES;
        const unsigned char *new_bytes =
            f->now_bytes + f->now->footer.index_offset + i * PFS_LAYER_INDEX_ENTRY_BYTES;
        unsigned char *old_raw, *new_raw;
        uint32_t old_len, new_len;

        assert_memory_equal(old_bytes, new_bytes, PFS_LAYER_INDEX_STORED);
        assert_int_equal(old->raw_len, new->raw_len);
        assert_int_equal(old->stored_len < old->raw_len, new->stored_len < new->raw_len);
        assert_int_equal(pfs_layer_load_block(f->golden, i, &old_raw, &old_len), 0);
        assert_int_equal(pfs_layer_load_block(f->now, i, &new_raw, &new_len), 0);
        assert_memory_equal(old_raw, new_raw, old_len);
        if (old->stored_len == old->raw_len)
            assert_int_equal(old->checksum, new->checksum);
        else
            packed++;
        free(old_raw);
        free(new_raw);
    }
    assert_in_range(packed, 2, f->now->footer.blocks - 1); /* both sorts are in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_golden__is_read),
        cmocka_unit_test(test_layer_golden__header_and_filter_are_still_written_so),
        cmocka_unit_test(test_layer_golden__footer_is_still_written_so),
        cmocka_unit_test(test_layer_golden__index_and_blocks_are_still_written_so),
    };

    if (getenv("WRITE_GOLDEN"))
        return write_golden() ? EXIT_FAILURE : EXIT_SUCCESS;
    return cmocka_run_group_tests(tests, setup, teardown);
}
