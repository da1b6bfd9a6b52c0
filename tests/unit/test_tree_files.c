/* Bytes of files through the tree's calls, against a plain array. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"
#include "tests/lib/tree_calls.h"

#define ROOT PFS_ROOT_INO
#define PAGE 8192
#define MAX  (20 * PAGE) /* of the model's file */

/* A file and what it must hold. */
struct model_file {
    struct calls *c;
    uint64_t ino, size, random;
    struct pfs_handle *h;
    unsigned char want[MAX], got[MAX];
};

static void file_init(struct model_file *f, struct calls *c, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    f->c = c;
    f->random = seed;
    f->ino = calls_file(c, ROOT, "f");
    f->h = calls_open(c, f->ino);
}

static void file_check(struct model_file *f)
{
    size_t len;

    assert_int_equal(calls_attr(f->c, f->ino).size, f->size);
    memset(f->got, 0xee, sizeof(f->got));
    if (pfs_file_read(f->c->tree, f->h, f->got, MAX, 0, &len))
        fail_msg("read: %s", pfs_err_message());
    assert_int_equal(len, f->size);
    for (uint64_t i = 0; i < f->size; i++)
        if (f->got[i] != f->want[i])
            fail_msg("byte %u is %02x instead of %02x", (unsigned)i, f->got[i], f->want[i]);
}

static void file_write(struct model_file *f, uint64_t off, uint64_t len)
{
    unsigned char byte = (unsigned char)(1 + model_random(&f->random) % 255);

    for (uint64_t i = 0; i < len; i++)
        f->want[off + i] = (unsigned char)(byte + i / 100);
    calls_write(f->c, f->h, f->want + off, len, off);
    if (off + len > f->size)
        f->size = off + len;
}

static void file_truncate(struct model_file *f, uint64_t size)
{
    calls_truncate(f->c, f->ino, size);
    if (size < f->size)
        memset(f->want + size, 0, f->size - size);
    f->size = size;
}

static void file_fallocate(struct model_file *f, int mode, uint64_t off, uint64_t len)
{
    assert_int_equal(pfs_file_fallocate(f->c->tree, f->h, mode, off, len), 0);
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        memset(f->want + off, 0, len);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > f->size)
        f->size = off + len;
}

/* A new tree on the same store. */
static void file_reopen(struct model_file *f)
{
    pfs_tree_release(f->c->tree, f->h);
    calls_reopen(f->c);
    f->h = calls_open(f->c, f->ino);
}

/* SEEK_DATA and SEEK_HOLE never call data a hole, and make progress to the end. */
static void file_seek(struct model_file *f)
{
    uint64_t at = 0, data, hole;

    while (at < f->size) {
        int err = pfs_file_seek(f->c->tree, f->h, at, SEEK_DATA, &data);

        if (err) {
            assert_int_equal(err, PFS_ENXIO);
            data = f->size;
        }
        assert_in_range(data, at, f->size);
        while (at < data)
            assert_int_equal(f->want[at++], 0);
        if (at == f->size)
            break;
        assert_int_equal(pfs_file_seek(f->c->tree, f->h, at, SEEK_HOLE, &hole), 0);
        assert_in_range(hole, at + 1, f->size);
        at = hole;
    }
    assert_int_equal(pfs_file_seek(f->c->tree, f->h, f->size, SEEK_HOLE, &hole), PFS_ENXIO);
}

static void file_random(struct model_file *f)
{
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    uint64_t r = model_random(&f->random), off = (r >> 8) % MAX, len = 1 + (r >> 32) % (3 * PAGE);

    if (r & 0x80) /* whole pages */
        off -= off % PAGE, len = (len + PAGE - 1) / PAGE * PAGE;
    if (len > MAX - off)
        len = MAX - off;
    switch (r % 16) {
    case 0:
    case 1:
    case 2:
        file_truncate(f, off);
        break;
    case 3:
    case 4:
    case 5:
        file_fallocate(f, modes[(r >> 24) % 5], off, len);
        break;
    case 6:
        if ((r >> 24) % 8 == 0)
            file_reopen(f);
        break;
    case 7:
        if ((r >> 24) % 4 == 0)
            assert_int_equal(pfs_store_flush(f->c->x->store), 0);
        break;
    case 8:
    case 9:
    case 10:
    case 11: /* a little, where it was written before: deltas */
        file_write(f, off % (2 * PAGE), 1 + len % 100);
        break;
    default:
        file_write(f, off, len);
    }
}

static void test_tree_files__random_calls_against_an_array(void **state)
{
    struct model_file *f = malloc(sizeof(*f));

    file_init(f, *state, 1);
    for (unsigned i = 0; i < 1200; i++) {
        file_random(f);
        if (i % 3 == 0)
            file_check(f);
        if (i % 10 == 0)
            file_seek(f);
    }
    file_reopen(f);
    file_check(f);
    fixture_clean(f->c->x);
    pfs_tree_release(f->c->tree, f->h);
    free(f);
}

/* More cuts than an inode has room for marks, each higher than the one before: all of it reads as
 * zeros from the first cut on. */
static void test_tree_files__many_cuts(void **state)
{
    struct model_file *f = malloc(sizeof(*f));

    file_init(f, *state, 2);
    file_write(f, 0, 19 * PAGE);
    for (uint64_t i = 0; i < 60; i++) {
        file_truncate(f, 100 + i * 2000);
        file_truncate(f, 19 * PAGE);
        if (i % 5 == 4) /* in what a mark hides, the older bytes around it stay hidden */
            file_write(f, 50 + i * 1900, 200);
        file_check(f);
    }
    file_reopen(f);
    file_check(f);
    file_seek(f);
    pfs_tree_release(f->c->tree, f->h);
    free(f);
}

static void test_tree_files__a_hole_costs_nothing(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f"), off;
    struct pfs_handle *h = calls_open(c, ino);
    unsigned char buf[16];
    size_t len;

    calls_write(c, h, "end", 3, PFS_FILE_MAX - 3);
    assert_int_equal(calls_attr(c, ino).size, PFS_FILE_MAX);
    assert_int_equal(calls_attr(c, ino).blocks, PAGE / 512);
    assert_int_equal(pfs_file_seek(c->tree, h, 0, SEEK_DATA, &off), 0);
    assert_int_equal(off, PFS_FILE_MAX - PAGE);
    assert_int_equal(pfs_file_seek(c->tree, h, 5, SEEK_HOLE, &off), 0);
    assert_int_equal(off, 5);
    assert_int_equal(pfs_file_seek(c->tree, h, 5, SEEK_CUR, &off), PFS_EINVAL);
    assert_int_equal(pfs_file_read(c->tree, h, buf, 16, PFS_FILE_MAX - 8, &len), 0);
    assert_int_equal(len, 8);
    assert_memory_equal(buf, "\0\0\0\0\0end", 8);
    calls_truncate(c, ino, 0);
    assert_int_equal(calls_attr(c, ino).blocks, 0);
    pfs_tree_release(c->tree, h);
}

static void test_tree_files__limits(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, ino);
    struct pfs_attr attr = {.size = PFS_FILE_MAX + 1};
    unsigned char *big = calloc(1, PFS_IO_MAX + 1);
    size_t len;

    assert_int_equal(pfs_file_write(c->tree, h, "xy", 2, PFS_FILE_MAX - 1, false), PFS_EFBIG);
    assert_int_equal(pfs_file_write(c->tree, h, "x", 1, UINT64_MAX, false), PFS_EFBIG);
    assert_int_equal(pfs_tree_setattr(c->tree, ino, PFS_SET_SIZE, &attr, &attr), PFS_EFBIG);
    assert_int_equal(pfs_file_fallocate(c->tree, h, 0, PFS_FILE_MAX, 1), PFS_EFBIG);
    assert_int_equal(pfs_file_fallocate(c->tree, h, 0, 0, 0), PFS_EINVAL);
    assert_int_equal(pfs_file_fallocate(c->tree, h, FALLOC_FL_PUNCH_HOLE, 0, 1), PFS_ENOTSUP);
    assert_int_equal(pfs_file_fallocate(c->tree, h, FALLOC_FL_COLLAPSE_RANGE, 0, 1), PFS_ENOTSUP);
    assert_int_equal(pfs_file_fallocate(c->tree, h, 0, 0, UINT64_C(1) << 42), PFS_ENOSPC);
    assert_int_equal(pfs_file_write(c->tree, h, big, PFS_IO_MAX + 1, 0, false), PFS_EINVAL);
    assert_int_equal(calls_attr(c, ino).size, 0);
    calls_write(c, h, big, PFS_IO_MAX, 4000); /* not at a page's start: one page more */
    assert_int_equal(calls_attr(c, ino).size, 4000 + PFS_IO_MAX);
    assert_int_equal(pfs_file_read(c->tree, h, big, PFS_IO_MAX, 4000 + PFS_IO_MAX, &len), 0);
    assert_int_equal(len, 0);
    assert_int_equal(pfs_file_write(c->tree, h, big, 0, 0, false), 0);
    free(big);
    pfs_tree_release(c->tree, h);
}

static void test_tree_files__fallocate_keeps_or_grows(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, ino);

    assert_int_equal(pfs_file_fallocate(c->tree, h, FALLOC_FL_KEEP_SIZE, 0, 10000), 0);
    assert_int_equal(calls_attr(c, ino).size, 0);
    assert_int_equal(pfs_file_fallocate(c->tree, h, 0, 100, 10000), 0);
    assert_int_equal(calls_attr(c, ino).size, 10100);
    assert_int_equal(pfs_file_fallocate(c->tree, h, 0, 0, 10), 0);
    assert_int_equal(calls_attr(c, ino).size, 10100);
    pfs_tree_release(c->tree, h);
}

static void test_tree_files__blocks_are_counted(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, ino);
    static unsigned char data[4 * PAGE];

    memset(data, 'x', sizeof(data));
    calls_write(c, h, data, 4 * PAGE, 0);
    assert_int_equal(calls_attr(c, ino).blocks, 4 * PAGE / 512);
    calls_write(c, h, data, PAGE, PAGE);
    assert_int_equal(calls_attr(c, ino).blocks, 4 * PAGE / 512);
    assert_int_equal(
        pfs_file_fallocate(c->tree, h, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE),
        0);
    assert_int_equal(calls_attr(c, ino).blocks, 2 * PAGE / 512);
    calls_write(c, h, data, 1, PAGE);
    assert_int_equal(calls_attr(c, ino).blocks, 3 * PAGE / 512);
    pfs_tree_release(c->tree, h);
}

/* Nothing remembered of the pages survives a write that failed. */
static void test_tree_files__full_disk_changes_nothing(void **state)
{
    struct model_file *f = malloc(sizeof(*f));

    file_init(f, *state, 3);
    file_write(f, 0, 3 * PAGE);
    for (unsigned i = 0; i < 20; i++) {
        memio_fail_at(f->c->x->io, 1, PFS_ENOSPC, false);
        assert_int_equal(pfs_file_write(f->c->tree, f->h, "no", 2, i * 1000, false), PFS_ENOSPC);
        file_check(f);
        if (i % 2) { /* the very same once more: it must not be taken for done */
            memcpy(f->want + i * 1000, "no", 2);
            calls_write(f->c, f->h, "no", 2, i * 1000);
            file_check(f);
        }
        memio_fail_at(f->c->x->io, 1, PFS_ENOSPC, false);
        assert_int_equal(pfs_file_fallocate(f->c->tree, f->h,
                                            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10, 9000),
                         PFS_ENOSPC);
        file_check(f);
        {
            struct pfs_attr attr = {.size = 10};

            memio_fail_at(f->c->x->io, 1, PFS_ENOSPC, false);
            assert_int_equal(pfs_tree_setattr(f->c->tree, f->ino, PFS_SET_SIZE, &attr, &attr),
                             PFS_ENOSPC);
        }
        file_check(f);
        file_write(f, i * 1000 + 1, 20);
        file_check(f);
    }
    pfs_tree_release(f->c->tree, f->h);
    free(f);
}

static void test_tree_files__sync_waits_for_the_disk(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_store *store = c->x->store;
    struct pfs_handle *h = calls_open(c, ino), *d;

    calls_write(c, h, "x", 1, 0);
    assert_in_range(pfs_store_durable(store), 0, pfs_store_head(store) - 1);
    assert_int_equal(pfs_file_sync(c->tree, h, true), 0);
    assert_int_equal(pfs_store_durable(store), pfs_store_head(store));
    pfs_tree_release(c->tree, h);
    assert_int_equal(pfs_tree_open_file(c->tree, ino, O_RDWR | O_DSYNC, &h), 0);
    calls_write(c, h, "y", 1, 0);
    assert_int_equal(pfs_store_durable(store), pfs_store_head(store));
    pfs_tree_release(c->tree, h);
    calls_file(c, ROOT, "g");
    assert_int_equal(pfs_tree_open_dir(c->tree, ROOT, &d), 0);
    assert_int_equal(pfs_file_sync(c->tree, d, false), 0);
    assert_int_equal(pfs_store_durable(store), pfs_store_head(store));
    pfs_tree_release(c->tree, d);
}

static void test_tree_files__open_says_why_not(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_handle *h;

    assert_int_equal(pfs_tree_open_file(c->tree, 999, O_RDONLY, &h), PFS_ENOENT);
    assert_int_equal(pfs_tree_open_file(c->tree, ROOT, O_WRONLY, &h), PFS_EISDIR);
    assert_int_equal(pfs_tree_open_dir(c->tree, ino, &h), PFS_ENOTDIR);
}

/* A handle is no more than the one file: writes through one are read through the other. */
static void test_tree_files__two_handles_one_file(void **state)
{
    struct calls *c = *state;
    uint64_t ino = calls_file(c, ROOT, "f");
    struct pfs_handle *a = calls_open(c, ino), *b = calls_open(c, ino);
    char buf[8];
    size_t len;

    calls_write(c, a, "abc", 3, 0);
    assert_int_equal(pfs_file_read(c->tree, b, buf, 8, 1, &len), 0);
    assert_int_equal(len, 2);
    assert_memory_equal(buf, "bc", 2);
    pfs_tree_release(c->tree, a);
    pfs_tree_release(c->tree, b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, calls_setup, calls_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree_files__random_calls_against_an_array),
        TEST(test_tree_files__many_cuts),
        TEST(test_tree_files__a_hole_costs_nothing),
        TEST(test_tree_files__limits),
        TEST(test_tree_files__fallocate_keeps_or_grows),
        TEST(test_tree_files__blocks_are_counted),
        TEST(test_tree_files__full_disk_changes_nothing),
        TEST(test_tree_files__sync_waits_for_the_disk),
        TEST(test_tree_files__open_says_why_not),
        TEST(test_tree_files__two_handles_one_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
