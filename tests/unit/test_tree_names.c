/* Names through the tree's calls: what comes into being, is linked, moved and removed. */
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"
#include "tests/lib/tree_calls.h"

#define ROOT PFS_ROOT_INO

static const struct pfs_cred cred = {.uid = 100, .gid = 200, .umask = 022};

/* --- looking up ------------------------------------------------------------------------------- */

static void test_tree_names__lookup(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d"), f = calls_file(c, d, "f");
    struct pfs_attr attr;

    assert_int_equal(calls_find(c, d, "f"), f);
    assert_int_equal(calls_find(c, d, "."), d);
    assert_int_equal(calls_find(c, d, ".."), ROOT);
    assert_int_equal(calls_find(c, ROOT, ".."), ROOT);
    assert_int_equal(calls_find(c, ROOT, "f"), 0);
    assert_int_equal(pfs_tree_lookup(c->tree, f, "x", &attr), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_lookup(c->tree, f, "..", &attr), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_lookup(c->tree, 12345, "x", &attr), PFS_ENOENT);
    calls_reopen(c);
    assert_int_equal(calls_find(c, d, "f"), f);
    assert_int_equal(calls_find(c, d, ".."), ROOT);
}

static void test_tree_names__length_of_a_name(void **state)
{
    struct calls *c = *state;
    char name[PFS_NAME_MAX + 2];
    struct pfs_attr attr;
    uint64_t f;

    memset(name, 'x', sizeof(name));
    name[PFS_NAME_MAX + 1] = '\0';
    assert_int_equal(pfs_tree_lookup(c->tree, ROOT, name, &attr), PFS_ENAMETOOLONG);
    assert_int_equal(pfs_tree_mkdir(c->tree, ROOT, name, 0755, &cred, &attr), PFS_ENAMETOOLONG);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, name), PFS_ENAMETOOLONG);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, name, ROOT, "y", 0), PFS_ENAMETOOLONG);
    name[PFS_NAME_MAX] = '\0';
    f = calls_file(c, ROOT, name);
    assert_int_equal(calls_find(c, ROOT, name), f);
    assert_int_equal(pfs_tree_mkdir(c->tree, ROOT, "", 0755, &cred, &attr), PFS_EINVAL);
    assert_int_equal(pfs_tree_mkdir(c->tree, ROOT, "a/b", 0755, &cred, &attr), PFS_EINVAL);
}

/* --- making ----------------------------------------------------------------------------------- */

static void test_tree_names__mknod_of_all_sorts(void **state)
{
    static const struct {
        const char *name;
        uint32_t mode, rdev, want_mode, want_rdev;
    } cases[] = {
        {"file", S_IFREG | 0666, 5, S_IFREG | 0644, 0},
        {"none", 0666, 0, S_IFREG | 0644, 0},
        {"fifo", S_IFIFO | 0622, 5, S_IFIFO | 0600, 0},
        {"sock", S_IFSOCK | 0777, 0, S_IFSOCK | 0755, 0},
        {"chr", S_IFCHR | 0600, 0x103, S_IFCHR | 0600, 0x103},
        {"blk", S_IFBLK | 0660, 0x800, S_IFBLK | 0640, 0x800},
    };
    struct calls *c = *state;
    struct pfs_attr attr;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(pfs_tree_mknod(c->tree, ROOT, cases[i].name, cases[i].mode, cases[i].rdev,
                                        &cred, &attr),
                         0);
        calls_reopen(c);
        attr = calls_attr(c, attr.ino);
        assert_int_equal(attr.mode, cases[i].want_mode);
        assert_int_equal(attr.rdev, cases[i].want_rdev);
        assert_int_equal(attr.nlink, 1);
        assert_int_equal(attr.uid, 100);
        assert_int_equal(attr.gid, 200);
        assert_int_equal(attr.size, 0);
        assert_int_equal(
            pfs_tree_mknod(c->tree, ROOT, cases[i].name, cases[i].mode, 0, &cred, &attr),
            PFS_EEXIST);
    }
    assert_int_equal(pfs_tree_mknod(c->tree, ROOT, "x", S_IFDIR | 0755, 0, &cred, &attr),
                     PFS_EINVAL);
    assert_int_equal(pfs_tree_mknod(c->tree, calls_find(c, ROOT, "file"), "x", 0, 0, &cred, &attr),
                     PFS_ENOTDIR);
}

static void test_tree_names__mkdir_counts_links(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct pfs_attr attr;

    assert_int_equal(calls_attr(c, d).nlink, 2);
    assert_int_equal(calls_attr(c, ROOT).nlink, 3);
    calls_dir(c, d, "e");
    calls_dir(c, d, "f");
    calls_file(c, d, "g");
    assert_int_equal(calls_attr(c, d).nlink, 4);
    assert_int_equal(pfs_tree_mkdir(c->tree, ROOT, "d", 0755, &cred, &attr), PFS_EEXIST);
    assert_int_equal(pfs_tree_rmdir(c->tree, d, "e"), 0);
    assert_int_equal(calls_attr(c, d).nlink, 3);
}

static void test_tree_names__sgid_directory_hands_its_group_on(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct pfs_attr attr = {.mode = 02775, .gid = 77};

    assert_int_equal(pfs_tree_setattr(c->tree, d, PFS_SET_MODE | PFS_SET_GID, &attr, &attr), 0);
    assert_int_equal(pfs_tree_mkdir(c->tree, d, "e", 0777, &cred, &attr), 0);
    assert_int_equal(attr.gid, 77);
    assert_int_equal(attr.mode, S_IFDIR | 02755);
    assert_int_equal(pfs_tree_mknod(c->tree, d, "f", S_IFREG | 0666, 0, &cred, &attr), 0);
    assert_int_equal(attr.gid, 77);
    assert_int_equal(attr.mode, S_IFREG | 0644);
}

static void test_tree_names__symlink(void **state)
{
    struct calls *c = *state;
    char target[PFS_SYMLINK_MAX + 2], buf[PFS_SYMLINK_MAX + 1];
    struct pfs_attr attr;

    memset(target, 't', sizeof(target));
    target[PFS_SYMLINK_MAX + 1] = '\0';
    assert_int_equal(pfs_tree_symlink(c->tree, ROOT, "l", target, &cred, &attr), PFS_ENAMETOOLONG);
    assert_int_equal(pfs_tree_symlink(c->tree, ROOT, "l", "", &cred, &attr), PFS_ENOENT);
    target[PFS_SYMLINK_MAX] = '\0';
    assert_int_equal(pfs_tree_symlink(c->tree, ROOT, "l", target, &cred, &attr), 0);
    calls_reopen(c);
    attr = calls_attr(c, attr.ino);
    assert_int_equal(attr.mode, S_IFLNK | 0777);
    assert_int_equal(attr.size, PFS_SYMLINK_MAX);
    assert_int_equal(pfs_tree_readlink(c->tree, attr.ino, buf), 0);
    assert_string_equal(buf, target);
    assert_int_equal(pfs_tree_readlink(c->tree, ROOT, buf), PFS_EINVAL);
}

static void test_tree_names__create_opens_what_is_there(void **state)
{
    struct calls *c = *state;
    struct pfs_handle *h, *again;
    struct pfs_attr attr;
    uint64_t ino;

    assert_int_equal(pfs_tree_create(c->tree, ROOT, "f", 0666, O_RDWR | O_EXCL, &cred, &attr, &h),
                     0);
    ino = attr.ino;
    assert_int_equal(attr.mode, S_IFREG | 0644);
    calls_write(c, h, "hello", 5, 0);
    assert_int_equal(
        pfs_tree_create(c->tree, ROOT, "f", 0600, O_RDWR | O_EXCL, &cred, &attr, &again),
        PFS_EEXIST);
    assert_int_equal(pfs_tree_create(c->tree, ROOT, "f", 0600, O_RDWR, &cred, &attr, &again), 0);
    assert_int_equal(attr.ino, ino);
    assert_int_equal(attr.size, 5);
    pfs_tree_release(c->tree, again);
    assert_int_equal(
        pfs_tree_create(c->tree, ROOT, "f", 0600, O_RDWR | O_TRUNC, &cred, &attr, &again), 0);
    assert_int_equal(attr.size, 0);
    pfs_tree_release(c->tree, again);
    pfs_tree_release(c->tree, h);
    calls_dir(c, ROOT, "d");
    assert_int_equal(pfs_tree_create(c->tree, ROOT, "d", 0600, O_RDWR, &cred, &attr, &h),
                     PFS_EISDIR);
}

/* --- linking and removing --------------------------------------------------------------------- */

static void test_tree_names__link(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d"), f = calls_file(c, ROOT, "f");
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_link(c->tree, f, d, "g", &attr), 0);
    assert_int_equal(attr.ino, f);
    assert_int_equal(attr.nlink, 2);
    assert_int_equal(pfs_tree_link(c->tree, f, d, "g", &attr), PFS_EEXIST);
    assert_int_equal(pfs_tree_link(c->tree, d, ROOT, "h", &attr), PFS_EPERM);
    assert_int_equal(pfs_tree_link(c->tree, d, d, "h", &attr), PFS_EPERM);
    assert_int_equal(pfs_tree_link(c->tree, f, f, "h", &attr), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_link(c->tree, 999, ROOT, "h", &attr), PFS_ENOENT);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "f"), 0);
    assert_int_equal(calls_attr(c, f).nlink, 1);
    assert_int_equal(calls_find(c, d, "g"), f);
}

static void test_tree_names__unlink_and_rmdir_say_why_not(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");

    calls_file(c, d, "f");
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "x"), PFS_ENOENT);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "d"), PFS_EISDIR);
    assert_int_equal(pfs_tree_rmdir(c->tree, ROOT, "d"), PFS_ENOTEMPTY);
    assert_int_equal(pfs_tree_rmdir(c->tree, d, "f"), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_rmdir(c->tree, d, "."), PFS_EINVAL);
    assert_int_equal(pfs_tree_rmdir(c->tree, d, ".."), PFS_ENOTEMPTY);
    assert_int_equal(pfs_tree_unlink(c->tree, d, "f"), 0);
    assert_int_equal(calls_find(c, d, "f"), 0);
    assert_int_equal(pfs_tree_rmdir(c->tree, ROOT, "d"), 0);
    assert_int_equal(calls_find(c, ROOT, "d"), 0);
}

static void test_tree_names__nothing_is_made_in_a_removed_directory(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d"), f = calls_file(c, ROOT, "f");
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_rmdir(c->tree, ROOT, "d"), 0);
    assert_int_equal(pfs_tree_mkdir(c->tree, d, "e", 0755, &cred, &attr), PFS_ENOENT);
    assert_int_equal(pfs_tree_link(c->tree, f, d, "e", &attr), PFS_ENOENT);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", d, "e", 0), PFS_ENOENT);
    pfs_tree_forget(c->tree, d, 1);
    assert_int_equal(pfs_tree_getattr(c->tree, d, &attr), PFS_ENOENT);
}

static void test_tree_names__unlinked_but_open(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, f);
    struct pfs_attr attr;
    char buf[5];
    size_t len;

    calls_write(c, h, "hello", 5, 0);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "f"), 0);
    assert_int_equal(calls_attr(c, f).nlink, 0);
    assert_int_equal(pfs_tree_link(c->tree, f, ROOT, "g", &attr), PFS_ENOENT);
    calls_write(c, h, "HE", 2, 0);
    assert_int_equal(pfs_file_read(c->tree, h, buf, 5, 0, &len), 0);
    assert_memory_equal(buf, "HEllo", 5);
    fixture_clean(c->x);
    assert_int_equal(c->x->stats.orphans, 1);
    pfs_tree_release(c->tree, h);
    pfs_tree_forget(c->tree, f, 1);
    assert_int_equal(pfs_tree_getattr(c->tree, f, &attr), PFS_ENOENT);
    fixture_clean(c->x);
    assert_int_equal(c->x->stats.orphans, 0);
}

/* --- renaming --------------------------------------------------------------------------------- */

static void test_tree_names__rename_moves_and_replaces(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d"), f = calls_file(c, ROOT, "f"), g = calls_file(c, d, "g");
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", ROOT, "f2", 0), 0);
    assert_int_equal(calls_find(c, ROOT, "f"), 0);
    assert_int_equal(calls_find(c, ROOT, "f2"), f);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f2", d, "g", RENAME_NOREPLACE), PFS_EEXIST);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f2", d, "g", 0), 0);
    assert_int_equal(calls_find(c, d, "g"), f);
    assert_int_equal(calls_attr(c, g).nlink, 0);
    pfs_tree_forget(c->tree, g, 1);
    assert_int_equal(pfs_tree_getattr(c->tree, g, &attr), PFS_ENOENT);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "x", ROOT, "y", 0), PFS_ENOENT);
    assert_int_equal(pfs_tree_rename(c->tree, d, "g", f, "y", 0), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_rename(c->tree, d, "..", d, "y", 0), PFS_EBUSY);
    assert_int_equal(pfs_tree_rename(c->tree, d, "g", d, "y", 8), PFS_EINVAL);
    assert_int_equal(pfs_tree_rename(c->tree, d, "g", d, "y", RENAME_NOREPLACE | RENAME_EXCHANGE),
                     PFS_EINVAL);
}

static void test_tree_names__rename_of_two_names_of_a_file_does_nothing(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_link(c->tree, f, ROOT, "g", &attr), 0);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", ROOT, "g", 0), 0);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", ROOT, "f", 0), 0);
    assert_int_equal(calls_find(c, ROOT, "f"), f);
    assert_int_equal(calls_find(c, ROOT, "g"), f);
}

static void test_tree_names__rename_of_directories(void **state)
{
    struct calls *c = *state;
    uint64_t a = calls_dir(c, ROOT, "a"), b = calls_dir(c, a, "b"), d = calls_dir(c, b, "d");
    uint64_t e = calls_dir(c, ROOT, "e");

    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "a", d, "x", 0), PFS_ELOOP);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "a", a, "x", 0), PFS_ELOOP);
    assert_int_equal(pfs_tree_rename(c->tree, b, "d", ROOT, "a", 0), PFS_ENOTEMPTY);
    assert_int_equal(pfs_tree_rename(c->tree, b, "d", ROOT, "a", RENAME_EXCHANGE), PFS_ELOOP);
    assert_int_equal(pfs_tree_rename(c->tree, a, "b", ROOT, "e", 0), 0); /* an empty one goes */
    assert_int_equal(calls_find(c, ROOT, "e"), b);
    assert_int_equal(calls_find(c, b, ".."), ROOT);
    assert_int_equal(calls_attr(c, e).nlink, 0);
    assert_int_equal(calls_attr(c, a).nlink, 2);
    assert_int_equal(calls_attr(c, ROOT).nlink, 4);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "a", ROOT, "e", 0), PFS_ENOTEMPTY);
    calls_file(c, ROOT, "f");
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "a", ROOT, "f", 0), PFS_ENOTDIR);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", ROOT, "a", 0), PFS_EISDIR);
}

static void test_tree_names__exchange(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d"), sub = calls_dir(c, d, "sub");
    uint64_t f = calls_file(c, ROOT, "f");

    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", d, "nothing", RENAME_EXCHANGE),
                     PFS_ENOENT);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", d, "sub", RENAME_EXCHANGE), 0);
    calls_reopen(c);
    assert_int_equal(calls_find(c, ROOT, "f"), sub);
    assert_int_equal(calls_find(c, d, "sub"), f);
    assert_int_equal(calls_find(c, sub, ".."), ROOT);
    assert_int_equal(calls_attr(c, d).nlink, 2);
    assert_int_equal(calls_attr(c, ROOT).nlink, 4);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", ROOT, "d", RENAME_EXCHANGE), 0);
    assert_int_equal(calls_find(c, ROOT, "d"), sub);
}

/* --- all together ----------------------------------------------------------------------------- */

/* Random calls on few names: whatever they answer, the tree stays in order. */
static void test_tree_names__random_calls_leave_it_in_order(void **state)
{
    struct calls *c = *state;
    uint64_t dirs[3] = {ROOT, calls_dir(c, ROOT, "d1"), calls_dir(c, ROOT, "d2")};
    uint64_t random = 5;
    unsigned done = 0;

    for (unsigned i = 0; i < 3000; i++) {
        uint64_t r = model_random(&random), a = dirs[r >> 8 & 1], b = dirs[r >> 9 & 1];
        char x[4], y[4];
        struct pfs_attr attr;
        int err = 0;

        snprintf(x, sizeof(x), "n%u", (unsigned)(r >> 16) % 8);
        snprintf(y, sizeof(y), "n%u", (unsigned)(r >> 20) % 8);
        switch (r % 8) {
        case 0:
            err = pfs_tree_mknod(c->tree, a, x, S_IFREG | 0644, 0, &cred, &attr);
            break;
        case 1:
            err = pfs_tree_mkdir(c->tree, a, x, 0755, &cred, &attr);
            break;
        case 2:
            err = pfs_tree_unlink(c->tree, a, x);
            break;
        case 3:
            err = pfs_tree_rmdir(c->tree, a, x);
            break;
        case 4:
            err = pfs_tree_rename(c->tree, a, x, b, y, (unsigned)(r >> 30) % 3);
            break;
        case 5:
            err = pfs_tree_lookup(c->tree, a, x, &attr);
            err = err ? err : pfs_tree_link(c->tree, attr.ino, b, y, &attr);
            break;
        case 6:
            err = pfs_tree_rename(c->tree, dirs[2], x, b, y, 0);
            break;
        default:
            err = pfs_tree_rename(c->tree, a, x, dirs[2], y, 0);
        }
        done += err == 0;
        if (i % 500 == 499) {
            fixture_clean(c->x);
            calls_reopen(c);
        }
    }
    assert_in_range(done, 500, 3000);
}

/* A full disk at any of a call's writes: the call fails and nothing is half done. */
static void test_tree_names__full_disk_leaves_it_in_order(void **state)
{
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct pfs_attr attr;

    calls_file(c, ROOT, "f");
    memio_fail_at(c->x->io, 1, PFS_ENOSPC, false);
    assert_int_equal(pfs_tree_mkdir(c->tree, ROOT, "e", 0755, &cred, &attr), PFS_ENOSPC);
    memio_fail_at(c->x->io, 1, PFS_ENOSPC, false);
    assert_int_equal(pfs_tree_rename(c->tree, ROOT, "f", d, "g", 0), PFS_ENOSPC);
    memio_fail_at(c->x->io, 1, PFS_ENOSPC, false);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "f"), PFS_ENOSPC);
    memio_fail_at(c->x->io, 1, PFS_ENOSPC, false);
    assert_int_equal(pfs_tree_rmdir(c->tree, ROOT, "d"), PFS_ENOSPC);
    assert_int_equal(calls_find(c, ROOT, "e"), 0);
    assert_int_not_equal(calls_find(c, ROOT, "f"), 0);
    assert_int_equal(calls_find(c, ROOT, "d"), d);
    assert_int_equal(calls_attr(c, ROOT).nlink, 3);
    fixture_clean(c->x);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "f"), 0);
    assert_int_equal(pfs_tree_rmdir(c->tree, ROOT, "d"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, calls_setup, calls_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree_names__lookup),
        TEST(test_tree_names__length_of_a_name),
        TEST(test_tree_names__mknod_of_all_sorts),
        TEST(test_tree_names__mkdir_counts_links),
        TEST(test_tree_names__sgid_directory_hands_its_group_on),
        TEST(test_tree_names__symlink),
        TEST(test_tree_names__create_opens_what_is_there),
        TEST(test_tree_names__link),
        TEST(test_tree_names__unlink_and_rmdir_say_why_not),
        TEST(test_tree_names__nothing_is_made_in_a_removed_directory),
        TEST(test_tree_names__unlinked_but_open),
        TEST(test_tree_names__rename_moves_and_replaces),
        TEST(test_tree_names__rename_of_two_names_of_a_file_does_nothing),
        TEST(test_tree_names__rename_of_directories),
        TEST(test_tree_names__exchange),
        TEST(test_tree_names__random_calls_leave_it_in_order),
        TEST(test_tree_names__full_disk_leaves_it_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
