/* Attributes, times and extended attributes through the tree's calls. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fs/tree/name.h"
#include "tests/lib/memio.h"
#include "tests/lib/tree_calls.h"

#define ROOT PFS_ROOT_INO

static const struct pfs_cred cred = {.uid = 100, .gid = 200};

static struct pfs_attr set(struct calls *c, uint64_t ino, unsigned what, struct pfs_attr in)
{
    struct pfs_attr out;

    assert_int_equal(pfs_tree_setattr(c->tree, ino, what, &in, &out), 0);
    return out;
}

static void same(const struct pfs_attr *x, const struct pfs_attr *y)
{
    assert_int_equal(x->mode, y->mode);
    assert_int_equal(x->nlink, y->nlink);
    assert_int_equal(x->uid, y->uid);
    assert_int_equal(x->gid, y->gid);
    assert_int_equal(x->size, y->size);
    assert_int_equal(x->blocks, y->blocks);
    assert_int_equal(x->atime_ns, y->atime_ns);
    assert_int_equal(x->mtime_ns, y->mtime_ns);
    assert_int_equal(x->ctime_ns, y->ctime_ns);
    assert_int_equal(x->btime_ns, y->btime_ns);
}

/* --- setattr ---------------------------------------------------------------------------------- */

static void test_tree_attr__mode_and_owner(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_attr a = calls_attr(c, f), b;

    b = set(c, f, PFS_SET_MODE, (struct pfs_attr){.mode = S_IFDIR | 06751});
    assert_int_equal(b.mode, S_IFREG | 06751); /* the type stays */
    assert_int_equal(b.mtime_ns, a.mtime_ns);
    assert_true(b.ctime_ns >= a.ctime_ns);
    b = set(c, f, PFS_SET_UID, (struct pfs_attr){.uid = 5, .gid = 6});
    assert_int_equal(b.uid, 5);
    assert_int_equal(b.gid, 200);
    b = set(c, f, PFS_SET_GID | PFS_SET_KILL_PRIV, (struct pfs_attr){.gid = 7});
    assert_int_equal(b.gid, 7);
    assert_int_equal(b.mode, S_IFREG | 0751);
    calls_reopen(c);
    a = calls_attr(c, f);
    same(&a, &b);
}

static void test_tree_attr__kill_priv_keeps_what_is_a_lock_mark(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f"), d = calls_dir(c, ROOT, "d");
    struct pfs_handle *h;

    set(c, f, PFS_SET_MODE, (struct pfs_attr){.mode = 06745}); /* the group may not execute */
    h = calls_open(c, f);
    calls_write(c, h, "x", 1, 0);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 06745);
    assert_int_equal(pfs_file_write(c->tree, h, "y", 1, 0, true), 0);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 02745);
    pfs_tree_release(c->tree, h);
    set(c, d, PFS_SET_MODE, (struct pfs_attr){.mode = 06777});
    assert_int_equal(set(c, d, PFS_SET_KILL_PRIV, (struct pfs_attr){0}).mode, S_IFDIR | 06777);
}

static void test_tree_attr__times_are_kept_to_the_nanosecond(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f"), before = pfs_wall_ns();
    uint64_t old = (uint64_t)-123456789; /* before 1970 */
    struct pfs_attr a;

    set(c, f, PFS_SET_ATIME | PFS_SET_MTIME, (struct pfs_attr){.atime_ns = old, .mtime_ns = 1});
    calls_reopen(c);
    a = calls_attr(c, f);
    assert_true(a.atime_ns == old);
    assert_int_equal(a.mtime_ns, 1);
    assert_true(a.ctime_ns >= before);
    a = set(c, f, PFS_SET_MTIME_NOW, (struct pfs_attr){0});
    assert_true(a.mtime_ns >= before && a.atime_ns == old);
    a = set(c, f, PFS_SET_ATIME_NOW, (struct pfs_attr){0});
    assert_true(a.atime_ns >= before);
    assert_true(a.btime_ns <= before);
}

static void test_tree_attr__size_only_of_files(void **state)
{
    struct calls *c = *state;
    struct pfs_attr attr;
    uint64_t fifo;

    assert_int_equal(pfs_tree_mknod(c->tree, ROOT, "p", S_IFIFO | 0600, 0, &cred, &attr), 0);
    fifo = attr.ino;
    attr.size = 0;
    assert_int_equal(pfs_tree_setattr(c->tree, fifo, PFS_SET_SIZE, &attr, &attr), PFS_EINVAL);
    attr.size = 0;
    assert_int_equal(pfs_tree_setattr(c->tree, ROOT, PFS_SET_SIZE, &attr, &attr), PFS_EISDIR);
    assert_int_equal(pfs_tree_setattr(c->tree, 999, PFS_SET_MODE, &attr, &attr), PFS_ENOENT);
}

static void test_tree_attr__truncating_moves_times(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_attr a;

    set(c, f, PFS_SET_MTIME, (struct pfs_attr){.mtime_ns = 1});
    a = set(c, f, PFS_SET_SIZE, (struct pfs_attr){.size = 0}); /* even to the size it has */
    assert_true(a.mtime_ns > 1 && a.mtime_ns == a.ctime_ns);
}

static void test_tree_attr__writing_and_reading_move_times(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, f);
    struct pfs_attr a;
    char byte;
    size_t len;

    set(c, f, PFS_SET_ATIME | PFS_SET_MTIME, (struct pfs_attr){.atime_ns = 1, .mtime_ns = 2});
    calls_write(c, h, "x", 1, 0);
    a = calls_attr(c, f);
    assert_true(a.mtime_ns > 2 && a.mtime_ns == a.ctime_ns && a.atime_ns == 1);
    assert_int_equal(pfs_file_read(c->tree, h, &byte, 1, 0, &len), 0);
    a = calls_attr(c, f);
    assert_true(a.atime_ns >= a.mtime_ns);
    set(c, f, PFS_SET_ATIME, (struct pfs_attr){.atime_ns = a.atime_ns + PFS_NS_PER_S});
    assert_int_equal(pfs_file_read(c->tree, h, &byte, 1, 0, &len), 0);
    assert_int_equal(calls_attr(c, f).atime_ns, a.atime_ns + PFS_NS_PER_S); /* relatime */
    pfs_tree_release(c->tree, h);
}

/* Times that only memory has are not lost when the inode leaves it. */
static void test_tree_attr__times_outlive_the_cache(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_handle *h = calls_open(c, f);
    struct pfs_attr before, after;

    calls_write(c, h, "x", 1, 0);
    calls_write(c, h, "y", 1, 0);
    before = calls_attr(c, f);
    pfs_tree_release(c->tree, h);
    pfs_tree_forget(c->tree, f, 1);
    after = calls_attr(c, f);
    same(&before, &after);
}

static void test_tree_attr__full_disk(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_attr a = calls_attr(c, f), in = {.mode = 0600}, out;

    memio_fail_at(c->x->io, 1, PFS_ENOSPC, false);
    assert_int_equal(pfs_tree_setattr(c->tree, f, PFS_SET_MODE, &in, &out), PFS_ENOSPC);
    out = calls_attr(c, f);
    same(&a, &out);
}

/* --- extended attributes ---------------------------------------------------------------------- */

static int set_x(struct calls *c, uint64_t ino, const char *name, const char *value, int flags)
{
    return pfs_tree_setxattr(c->tree, ino, name, value, strlen(value), flags, false);
}

static void has_x(struct calls *c, uint64_t ino, const char *name, const char *value)
{
    char buf[64];
    size_t len;
    int err = pfs_tree_getxattr(c->tree, ino, name, buf, sizeof(buf), &len);

    if (!value) {
        assert_int_equal(err, PFS_ENODATA);
        return;
    }
    assert_int_equal(err, 0);
    assert_int_equal(len, strlen(value));
    assert_memory_equal(buf, value, len);
}

static void test_tree_xattr__set_get_remove(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");

    has_x(c, f, "user.a", NULL);
    assert_int_equal(set_x(c, f, "user.a", "1", XATTR_REPLACE), PFS_ENODATA);
    assert_int_equal(set_x(c, f, "user.a", "1", XATTR_CREATE), 0);
    assert_int_equal(set_x(c, f, "user.a", "2", XATTR_CREATE), PFS_EEXIST);
    has_x(c, f, "user.a", "1");
    assert_int_equal(set_x(c, f, "user.a", "two", XATTR_REPLACE), 0);
    assert_int_equal(set_x(c, f, "user.b", "", 0), 0);
    calls_reopen(c);
    has_x(c, f, "user.a", "two");
    has_x(c, f, "user.b", "");
    has_x(c, f, "user.c", NULL);
    assert_int_equal(pfs_tree_removexattr(c->tree, f, "user.c"), PFS_ENODATA);
    assert_int_equal(pfs_tree_removexattr(c->tree, f, "user.a"), 0);
    has_x(c, f, "user.a", NULL);
    has_x(c, f, "user.b", "");
    fixture_clean(c->x);
    assert_int_equal(pfs_tree_unlink(c->tree, ROOT, "f"), 0);
}

static void test_tree_xattr__sizes(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    char *big = malloc(PFS_XATTR_MAX + 1), *back = malloc(PFS_XATTR_MAX);
    size_t len;

    memset(big, 'b', PFS_XATTR_MAX + 1);
    assert_int_equal(pfs_tree_setxattr(c->tree, f, "user.a", big, PFS_XATTR_MAX + 1, 0, false),
                     PFS_EINVAL);
    assert_int_equal(pfs_tree_setxattr(c->tree, f, "user.a", big, PFS_XATTR_MAX, 0, false), 0);
    assert_int_equal(pfs_tree_getxattr(c->tree, f, "user.a", NULL, 0, &len), 0);
    assert_int_equal(len, PFS_XATTR_MAX);
    assert_int_equal(pfs_tree_getxattr(c->tree, f, "user.a", back, len - 1, &len), PFS_ERANGE);
    assert_int_equal(pfs_tree_getxattr(c->tree, f, "user.a", back, PFS_XATTR_MAX, &len), 0);
    assert_memory_equal(big, back, PFS_XATTR_MAX);
    free(big);
    free(back);
}

static void test_tree_xattr__names(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    char name[PFS_NAME_MAX + 2] = "user.";

    assert_int_equal(set_x(c, f, "user.", "v", 0), PFS_EINVAL);
    assert_int_equal(set_x(c, f, "system.other", "v", 0), PFS_ENOTSUP);
    assert_int_equal(set_x(c, f, "nospace", "v", 0), PFS_ENOTSUP);
    assert_int_equal(set_x(c, f, "", "v", 0), PFS_ERANGE);
    memset(name + 5, 'x', sizeof(name) - 6);
    assert_int_equal(set_x(c, f, name, "v", 0), PFS_ERANGE);
    name[PFS_NAME_MAX] = '\0';
    assert_int_equal(set_x(c, f, name, "v", 0), 0);
    has_x(c, f, name, "v");
    assert_int_equal(set_x(c, f, "trusted.t", "t", 0), 0);
    assert_int_equal(set_x(c, f, "security.s", "s", 0), 0);
    assert_int_equal(set_x(c, f, "user.x", "x", 4), PFS_EINVAL);
}

static void test_tree_xattr__list(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    char list[4096];
    unsigned seen = 0;
    size_t len = 1;

    assert_int_equal(pfs_tree_listxattr(c->tree, f, list, sizeof(list), &len), 0);
    assert_int_equal(len, 0);
    for (unsigned i = 0; i < 30; i++) {
        char name[32];

        snprintf(name, sizeof(name), "user.%02u", i);
        assert_int_equal(set_x(c, f, name, "v", 0), 0);
    }
    assert_int_equal(pfs_tree_removexattr(c->tree, f, "user.07"), 0);
    assert_int_equal(pfs_tree_listxattr(c->tree, f, NULL, 0, &len), 0);
    assert_int_equal(len, 29 * 8);
    assert_int_equal(pfs_tree_listxattr(c->tree, f, list, len - 1, &len), PFS_ERANGE);
    assert_int_equal(pfs_tree_listxattr(c->tree, f, list, sizeof(list), &len), 0);
    for (size_t at = 0; at < len; at += strlen(list + at) + 1) {
        unsigned i;

        assert_int_equal(sscanf(list + at, "user.%u", &i), 1);
        assert_false(seen >> i & 1);
        seen |= 1u << i;
    }
    assert_int_equal(seen, 0x3fffffffu & ~(1u << 7));
}

/* Four names of one hash (made by hand) have a place each; a fifth has none. */
static void test_tree_xattr__slots_of_one_hash(void **state)
{
    static const unsigned char other[] = "\x07user.zzvalue";
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_key key = fixture_slot_of(PFS_KEY_XATTR, f, "user.a");

    assert_int_equal(set_x(c, f, "user.b", "b", 0), 0);
    for (unsigned i = 0; i < 4; i++, key.b++)
        fixture_put(c->x, key, PFS_KIND_VALUE, other, sizeof(other) - 1);
    has_x(c, f, "user.a", NULL);
    assert_int_equal(set_x(c, f, "user.a", "1", 0), PFS_ENOSPC);
    for (unsigned i = 0; i < 4; i++)
        key.b--, fixture_drop(c->x, key);
    assert_int_equal(set_x(c, f, "user.a", "1", 0), 0);
    has_x(c, f, "user.a", "1");
}

/* --- directories ------------------------------------------------------------------------------ */

struct listing {
    struct calls *c;
    unsigned want, n; /* stop before the entry number `want` */
    uint64_t last;
    unsigned char seen[300];
    bool attrs;
};

static int one_entry(void *ctx, const char *name, const struct pfs_attr *attr, uint64_t off)
{
    struct listing *l = ctx;
    unsigned i;

    if (l->n == l->want)
        return 1;
    assert_true(off > l->last);
    l->last = off;
    l->n++;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        assert_int_equal(attr->ino, ROOT);
        return 0;
    }
    assert_int_equal(sscanf(name, "n%u", &i), 1);
    assert_in_range(i, 0, 299);
    assert_int_equal(attr->mode & S_IFMT, i % 2 ? S_IFDIR : S_IFREG);
    if (l->attrs) {
        assert_int_equal(attr->nlink, i % 2 ? 2 : 1);
        pfs_tree_forget(l->c->tree, attr->ino, 1);
    }
    l->seen[i]++;
    return 0;
}

/* In small pieces, while names come and go beside: who stays is seen exactly once. */
static void test_tree_dir__stable_while_names_come_and_go(void **state)
{
    struct calls *c = *state;
    struct listing l = {.c = c};
    struct pfs_handle *h;
    char name[8];

    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        if (i % 2)
            calls_dir(c, ROOT, name);
        else
            calls_file(c, ROOT, name);
    }
    assert_int_equal(pfs_tree_open_dir(c->tree, ROOT, &h), 0);
    for (unsigned piece = 0; piece < 100; piece++) {
        unsigned before = l.n;

        l.want = l.n + 1 + piece % 5;
        l.attrs = piece % 2;
        assert_int_equal(pfs_tree_readdir(c->tree, h, l.last, l.attrs, one_entry, &l), 0);
        if (l.n == before)
            break;
        if (piece % 2 == 0 && piece < 40) { /* of the last hundred, one goes, another comes */
            snprintf(name, sizeof(name), "n%u", 100 + piece * 2);
            assert_int_equal(pfs_tree_unlink(c->tree, ROOT, name), 0);
            snprintf(name, sizeof(name), "n%u", 200 + piece * 2);
            calls_file(c, ROOT, name);
        }
    }
    pfs_tree_release(c->tree, h);
    for (unsigned i = 0; i < 300; i++)
        if (i < 100 || (i < 200 && i % 2))
            assert_int_equal(l.seen[i], 1);
        else
            assert_in_range(l.seen[i], 0, 1);
}

static void test_tree_dir__empty_one_has_two(void **state)
{
    struct calls *c = *state;
    struct listing l = {.c = c, .want = 10};
    struct pfs_handle *h;

    assert_int_equal(pfs_tree_open_dir(c->tree, ROOT, &h), 0);
    assert_int_equal(pfs_tree_readdir(c->tree, h, 0, true, one_entry, &l), 0);
    assert_int_equal(l.n, 2);
    assert_int_equal(pfs_tree_readdir(c->tree, h, l.last, true, one_entry, &l), 0);
    assert_int_equal(pfs_tree_readdir(c->tree, h, UINT64_MAX, true, one_entry, &l), 0);
    assert_int_equal(l.n, 2);
    pfs_tree_release(c->tree, h);
}

static void test_tree_stats__count(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct pfs_tree_stats stats;
    struct pfs_handle *h = calls_open(c, f);

    pfs_tree_stats(c->tree, &stats);
    assert_int_equal(stats.cached_inodes, 2);
    assert_int_equal(stats.open_handles, 1);
    pfs_tree_release(c->tree, h);
    pfs_tree_forget(c->tree, f, 1);
    pfs_tree_stats(c->tree, &stats);
    assert_int_equal(stats.cached_inodes, 1);
    assert_int_equal(stats.open_handles, 0);
    assert_int_equal(stats.next_ino, f + 1);
    assert_int_equal(pfs_tree_st_ino(3, f), UINT64_C(3) << 44 | f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, calls_setup, calls_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree_attr__mode_and_owner),
        TEST(test_tree_attr__kill_priv_keeps_what_is_a_lock_mark),
        TEST(test_tree_attr__times_are_kept_to_the_nanosecond),
        TEST(test_tree_attr__size_only_of_files),
        TEST(test_tree_attr__truncating_moves_times),
        TEST(test_tree_attr__writing_and_reading_move_times),
        TEST(test_tree_attr__times_outlive_the_cache),
        TEST(test_tree_attr__full_disk),
        TEST(test_tree_xattr__set_get_remove),
        TEST(test_tree_xattr__sizes),
        TEST(test_tree_xattr__names),
        TEST(test_tree_xattr__list),
        TEST(test_tree_xattr__slots_of_one_hash),
        TEST(test_tree_dir__stable_while_names_come_and_go),
        TEST(test_tree_dir__empty_one_has_two),
        TEST(test_tree_stats__count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
