/* The real disk behind struct pfs_io, in a directory of its own; and the calls that stand on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "tests/lib/memio.h"

struct fixture {
    char dir[256];
    struct pfs_io *io;
};

static int remove_one(void *ctx, const char *name)
{
    struct fixture *f = ctx;
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    return remove(path) ? PFS_EIO : 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    if (!f)
        return -1;
    snprintf(f->dir, sizeof(f->dir), "%.200s/pagefs-io.XXXXXX", tmp ? tmp : "/tmp");
    *state = f;
    return mkdtemp(f->dir) ? pfs_io_posix_create(f->dir, &f->io) : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int err = f->io->ops->list(f->io, ".", remove_one, f);

    f->io->ops->destroy(f->io);
    err |= rmdir(f->dir);
    free(f);
    return err;
}

static struct pfs_file *make(struct pfs_io *io, const char *name)
{
    struct pfs_file *file;

    assert_int_equal(io->ops->open(io, name, PFS_IO_RDWR | PFS_IO_CREATE, &file), 0);
    return file;
}

static void test_io__reads_what_was_written(void **state)
{
    struct fixture *f = *state;
    struct pfs_file *file = make(f->io, "file");
    struct iovec iov[3] = {{"one", 3}, {"", 0}, {"twothree", 8}};
    char got[11];
    uint64_t size;

    assert_int_equal(file->ops->pwritev(file, iov, 3, 100000), 0);
    assert_int_equal(file->ops->sync(file), 0);
    file->ops->writeback(file, 0, 4096);
    assert_int_equal(file->ops->size(file, &size), 0);
    assert_int_equal(size, 100011);
    assert_int_equal(file->ops->pread(file, got, 11, 100000), 0);
    assert_memory_equal(got, "onetwothree", 11);
    assert_int_equal(file->ops->pread(file, got, 11, 0), 0);
    assert_int_equal(got[0], 0);
    file->ops->close(file);
}

static void test_io__short_reads_are_damage(void **state)
{
    struct fixture *f = *state;
    struct pfs_file *file = make(f->io, "short");
    struct iovec iov = {"bytes", 5};
    char got[8];

    assert_int_equal(file->ops->pwritev(file, &iov, 1, 0), 0);
    assert_int_equal(file->ops->pread(file, got, 6, 0), PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), "short"));
    assert_non_null(strstr(pfs_err_message(), "truncated"));
    file->ops->close(file);
}

static void test_io__more_pieces_than_one_call_takes(void **state)
{
    enum { PIECES = 3000 };
    struct fixture *f = *state;
    struct pfs_file *file = make(f->io, "pieces");
    struct iovec iov[PIECES];
    char got[PIECES];

    for (int i = 0; i < PIECES; i++)
        iov[i] = (struct iovec){(char *)(uintptr_t) "0123456789" + i % 10, 1};
    assert_int_equal(file->ops->pwritev(file, iov, PIECES, 0), 0);
    assert_int_equal(file->ops->pread(file, got, PIECES, 0), 0);
    for (int i = 0; i < PIECES; i++)
        assert_int_equal(got[i], '0' + i % 10);
    file->ops->close(file);
}

static void test_io__allocates_zeros(void **state)
{
    struct fixture *f = *state;
    struct pfs_file *file = make(f->io, "allocated");
    char got[100];
    uint64_t size;

    assert_int_equal(file->ops->allocate(file, 100000), 0);
    assert_int_equal(file->ops->size(file, &size), 0);
    assert_int_equal(size, 100000);
    assert_int_equal(file->ops->pread(file, got, 100, 99900), 0);
    assert_int_equal(got[99], 0);
    file->ops->close(file);
}

static void test_io__names(void **state)
{
    struct fixture *f = *state;
    const struct pfs_io_ops *ops = f->io->ops;
    struct pfs_file *file = make(f->io, "name");

    file->ops->close(file);
    assert_int_equal(ops->open(f->io, "name", PFS_IO_RDWR | PFS_IO_CREATE, &file), PFS_EEXIST);
    assert_int_equal(ops->open(f->io, "other", PFS_IO_RDONLY, &file), PFS_ENOENT);
    assert_non_null(strstr(pfs_err_message(), f->dir));
    assert_int_equal(ops->rename(f->io, "name", "other"), 0);
    assert_int_equal(ops->rename(f->io, "name", "other"), PFS_ENOENT);
    assert_int_equal(ops->unlink(f->io, "other"), 0);
    assert_int_equal(ops->unlink(f->io, "other"), PFS_ENOENT);
    assert_int_equal(ops->mkdir(f->io, "dir"), 0);
    assert_int_equal(ops->mkdir(f->io, "dir"), PFS_EEXIST);
    assert_int_equal(ops->sync_dir(f->io, "dir"), 0);
    assert_int_equal(ops->sync_dir(f->io, "."), 0);
    assert_int_equal(ops->sync_dir(f->io, "nowhere"), PFS_ENOENT);
}

static int stop_at_once(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return PFS_EBUSY;
}

static void test_io__list_ends_when_told(void **state)
{
    struct fixture *f = *state;
    int calls = 0;

    for (int i = 0; i < 3; i++) {
        char name[16];
        struct pfs_file *file;

        snprintf(name, sizeof(name), "list %d", i);
        file = make(f->io, name);
        file->ops->close(file);
    }
    assert_int_equal(f->io->ops->list(f->io, ".", stop_at_once, &calls), PFS_EBUSY);
    assert_int_equal(calls, 1);
    assert_int_equal(f->io->ops->list(f->io, "nowhere", stop_at_once, &calls), PFS_ENOENT);
}

static void test_io__space_makes_sense(void **state)
{
    struct fixture *f = *state;
    uint64_t left, total;

    assert_int_equal(f->io->ops->space(f->io, &left, &total), 0);
    assert_true(left <= total && total > 0);
}

static void test_io__needs_a_directory(void **state)
{
    struct pfs_io *io;

    (void)state;
    assert_int_equal(pfs_io_posix_create("/nowhere/at all", &io), PFS_ENOENT);
    assert_non_null(strstr(pfs_err_message(), "/nowhere/at all"));
    assert_int_equal(pfs_io_posix_create("/dev/null", &io), PFS_ENOTDIR);
}

static void test_io__a_whole_file_but_no_more_than_asked_for(void **state)
{
    struct fixture *f = *state;
    void *data;
    size_t len;

    assert_int_equal(pfs_io_replace_file(f->io, ".", "whole", "12345", 5), 0);
    assert_int_equal(pfs_io_read_file(f->io, "whole", 5, &data, &len), 0);
    assert_int_equal(len, 5);
    assert_string_equal(data, "12345");
    free(data);
    assert_int_equal(pfs_io_read_file(f->io, "whole", 4, &data, &len), PFS_ECORRUPT);
    assert_int_equal(pfs_io_read_file(f->io, "none", 4, &data, &len), PFS_ENOENT);
}

/* Whichever call fails: the old content or the new one. */
static void test_io__replacing_is_all_or_nothing(void **state)
{
    bool failed = true;

    (void)state;
    for (unsigned nth = 1; failed; nth++) {
        struct pfs_io *io = memio_create();
        const char *bytes;
        size_t len;

        memio_put(io, "file", "old", 3);
        memio_put(io, "file.new", "left over", 9);
        memio_fail_at(io, nth, PFS_EIO, true);
        (void)!pfs_io_replace_file(io, ".", "file", "newer", 5);
        failed = memio_failed(io);
        memio_fail_at(io, 0, 0, false);
        bytes = (const char *)memio_bytes(io, "file", &len);
        if (len == 3)
            assert_memory_equal(bytes, "old", 3);
        else
            assert_memory_equal(bytes, "newer", 5);
        assert_true(failed || len == 5);
        assert_int_equal(pfs_io_replace_file(io, ".", "file", "last", 4), 0);
        io->ops->destroy(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_io__reads_what_was_written),
        cmocka_unit_test(test_io__short_reads_are_damage),
        cmocka_unit_test(test_io__more_pieces_than_one_call_takes),
        cmocka_unit_test(test_io__allocates_zeros),
        cmocka_unit_test(test_io__names),
        cmocka_unit_test(test_io__list_ends_when_told),
        cmocka_unit_test(test_io__space_makes_sense),
        cmocka_unit_test(test_io__needs_a_directory),
        cmocka_unit_test(test_io__a_whole_file_but_no_more_than_asked_for),
        cmocka_unit_test(test_io__replacing_is_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
