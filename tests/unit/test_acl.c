/* POSIX ACLs: what the mode and the access ACL say of each other, and what is inherited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fs/tree/acl.h"
#include "tests/lib/tree_calls.h"

#define ROOT PFS_ROOT_INO

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct acl {
    unsigned char bytes[256];
    size_t len;
};

static void add(struct acl *acl, unsigned tag, unsigned perm, uint32_t id)
{
    if (acl->len == 0) {
        pfs_put32(acl->bytes, 2);
        acl->len = 4;
    }
    pfs_put16(acl->bytes + acl->len, (uint16_t)tag);
    pfs_put16(acl->bytes + acl->len + 2, (uint16_t)perm);
    pfs_put32(acl->bytes + acl->len + 4, id);
    acl->len += 8;
}

static struct acl minimal(unsigned u, unsigned g, unsigned o)
{
    struct acl acl = {.len = 0};

    add(&acl, USER_OBJ, u, UINT32_MAX);
    add(&acl, GROUP_OBJ, g, UINT32_MAX);
    add(&acl, OTHER, o, UINT32_MAX);
    return acl;
}

static struct acl extended(unsigned u, unsigned named, unsigned g, unsigned mask, unsigned o)
{
    struct acl acl = {.len = 0};

    add(&acl, USER_OBJ, u, UINT32_MAX);
    add(&acl, USER, named, 1000);
    add(&acl, GROUP_OBJ, g, UINT32_MAX);
    add(&acl, MASK, mask, UINT32_MAX);
    add(&acl, OTHER, o, UINT32_MAX);
    return acl;
}

static void test_tree_acl__to_mode(void **state)
{
    struct acl acl = minimal(7, 5, 1);
    uint32_t mode = S_IFREG | 04000;
    bool is_minimal;

    (void)state;
    assert_int_equal(pfs_acl_to_mode(acl.bytes, acl.len, &mode, &is_minimal), 0);
    assert_int_equal(mode, S_IFREG | 04751);
    assert_true(is_minimal);
    acl = extended(6, 7, 7, 4, 0); /* the mask is what the mode shows */
    assert_int_equal(pfs_acl_to_mode(acl.bytes, acl.len, &mode, &is_minimal), 0);
    assert_int_equal(mode, S_IFREG | 04640);
    assert_false(is_minimal);
}

static void test_tree_acl__chmod(void **state)
{
    struct acl acl = minimal(7, 7, 7), want = minimal(6, 4, 0);

    (void)state;
    assert_int_equal(pfs_acl_chmod(acl.bytes, acl.len, S_IFREG | 0640), 0);
    assert_memory_equal(acl.bytes, want.bytes, want.len);
    acl = extended(7, 7, 7, 7, 7);
    want = extended(6, 7, 7, 4, 0);
    assert_int_equal(pfs_acl_chmod(acl.bytes, acl.len, S_IFREG | 0640), 0);
    assert_memory_equal(acl.bytes, want.bytes, want.len);
}

static void malformed(const struct acl *acl, size_t len)
{
    struct acl copy = *acl;
    uint32_t mode = 0;
    bool is_minimal;

    assert_int_equal(pfs_acl_to_mode(acl->bytes, len, &mode, &is_minimal), PFS_EINVAL);
    assert_int_equal(pfs_acl_chmod(copy.bytes, len, 0777), PFS_EINVAL);
    assert_int_equal(mode, 0);
}

static void test_tree_acl__malformed(void **state)
{
    struct acl acl = extended(7, 7, 7, 7, 7);

    (void)state;
    for (size_t len = 0; len < acl.len; len++)
        malformed(&acl, len);
    pfs_put32(acl.bytes, 3); /* version */
    malformed(&acl, acl.len);
    acl = minimal(8, 0, 0);
    malformed(&acl, acl.len);
    acl = minimal(7, 7, 7);
    add(&acl, 64, 7, 0);
    malformed(&acl, acl.len);
    acl = minimal(7, 7, 7);
    add(&acl, GROUP, 7, 5); /* named, but no mask */
    malformed(&acl, acl.len);
    acl.len = 0;
    add(&acl, USER_OBJ, 7, 0);
    add(&acl, GROUP_OBJ, 7, 0);
    malformed(&acl, acl.len);
}

/* --- in a tree -------------------------------------------------------------------------------- */

static int set_acl(struct calls *c, uint64_t ino, const char *name, const struct acl *acl)
{
    return pfs_tree_setxattr(c->tree, ino, name, acl->bytes, acl->len, 0, false);
}

static void has_acl(struct calls *c, uint64_t ino, const char *name, const struct acl *want)
{
    unsigned char buf[256];
    size_t len = 0;
    int err = pfs_tree_getxattr(c->tree, ino, name, buf, sizeof(buf), &len);

    assert_int_equal(err, want ? 0 : PFS_ENODATA);
    if (!want)
        return;
    assert_int_equal(len, want->len);
    assert_memory_equal(buf, want->bytes, len);
}

static void test_tree_acl__access_and_mode_follow_each_other(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct acl acl = extended(7, 5, 4, 6, 1);
    struct pfs_attr attr = {.mode = 0705};

    assert_int_equal(set_acl(c, f, PFS_ACL_ACCESS, &acl), 0);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 0761);
    has_acl(c, f, PFS_ACL_ACCESS, &acl);
    assert_int_equal(pfs_tree_setattr(c->tree, f, PFS_SET_MODE, &attr, &attr), 0);
    acl = extended(7, 5, 4, 0, 5);
    has_acl(c, f, PFS_ACL_ACCESS, &acl);
    calls_reopen(c);
    has_acl(c, f, PFS_ACL_ACCESS, &acl);
    acl.bytes[4] = 0x40;
    assert_int_equal(set_acl(c, f, PFS_ACL_ACCESS, &acl), PFS_EINVAL);
    acl = minimal(6, 2, 1); /* no more than the mode: nothing is kept */
    assert_int_equal(set_acl(c, f, PFS_ACL_ACCESS, &acl), 0);
    has_acl(c, f, PFS_ACL_ACCESS, NULL);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 0621);
}

static void test_tree_acl__sgid_goes_if_asked(void **state)
{
    struct calls *c = *state;
    uint64_t f = calls_file(c, ROOT, "f");
    struct acl acl = extended(7, 7, 7, 7, 5);
    struct pfs_attr attr = {.mode = 02775};

    assert_int_equal(pfs_tree_setattr(c->tree, f, PFS_SET_MODE, &attr, &attr), 0);
    assert_int_equal(set_acl(c, f, PFS_ACL_ACCESS, &acl), 0);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 02775);
    assert_int_equal(pfs_tree_setxattr(c->tree, f, PFS_ACL_ACCESS, acl.bytes, acl.len, 0, true), 0);
    assert_int_equal(calls_attr(c, f).mode, S_IFREG | 0775);
}

/* By the default ACL instead of the umask; what the creator asked for still limits it. */
static void test_tree_acl__default_is_inherited(void **state)
{
    const struct pfs_cred cred = {.umask = 077};
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct acl acl = extended(7, 6, 7, 7, 5), want;
    struct pfs_attr attr;

    assert_int_equal(set_acl(c, d, PFS_ACL_DEFAULT, &acl), 0);
    assert_int_equal(pfs_tree_mknod(c->tree, d, "f", S_IFREG | 0664, 0, &cred, &attr), 0);
    assert_int_equal(attr.mode, S_IFREG | 0664);
    want = extended(6, 6, 7, 6, 4);
    has_acl(c, attr.ino, PFS_ACL_ACCESS, &want);
    has_acl(c, attr.ino, PFS_ACL_DEFAULT, NULL);
    assert_int_equal(pfs_tree_mkdir(c->tree, d, "e", 0750, &cred, &attr), 0);
    assert_int_equal(attr.mode, S_IFDIR | 0750);
    want = extended(7, 6, 7, 5, 0);
    has_acl(c, attr.ino, PFS_ACL_ACCESS, &want);
    has_acl(c, attr.ino, PFS_ACL_DEFAULT, &acl);
    assert_int_equal(pfs_tree_symlink(c->tree, d, "l", "t", &cred, &attr), 0);
    assert_int_equal(attr.mode, S_IFLNK | 0777);
    has_acl(c, attr.ino, PFS_ACL_ACCESS, NULL);
}

static void test_tree_acl__minimal_default_leaves_only_a_mode(void **state)
{
    const struct pfs_cred cred = {.umask = 077};
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct acl acl = minimal(7, 5, 0);
    struct pfs_attr attr;

    assert_int_equal(set_acl(c, d, PFS_ACL_DEFAULT, &acl), 0);
    assert_int_equal(pfs_tree_mknod(c->tree, d, "f", S_IFREG | 0666, 0, &cred, &attr), 0);
    assert_int_equal(attr.mode, S_IFREG | 0640);
    has_acl(c, attr.ino, PFS_ACL_ACCESS, NULL);
}

static void test_tree_acl__umask_counts_where_there_is_no_default(void **state)
{
    const struct pfs_cred cred = {.umask = 027};
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_setxattr(c->tree, d, "user.x", "1", 1, 0, false), 0);
    assert_int_equal(pfs_tree_mkdir(c->tree, d, "e", 0777, &cred, &attr), 0);
    assert_int_equal(attr.mode, S_IFDIR | 0750);
}

/* The kernel lets no such default ACL through; a tool may have. Nothing is made, nothing leaks. */
static void test_tree_acl__malformed_default(void **state)
{
    const struct pfs_cred cred = {.uid = 0};
    struct calls *c = *state;
    uint64_t d = calls_dir(c, ROOT, "d");
    unsigned char bytes[64] = "\x18" PFS_ACL_DEFAULT "nonsense";
    struct pfs_attr attr;
    struct pfs_ivalue v;

    _Static_assert(sizeof(PFS_ACL_DEFAULT) - 1 == 0x18, "length of the name");
    pfs_tree_close(c->tree);
    fixture_put(c->x, fixture_slot_of(PFS_KEY_XATTR, d, PFS_ACL_DEFAULT), PFS_KIND_VALUE, bytes,
                25 + 8);
    fixture_get_inode(c->x, d, &v);
    v.n_xattrs = 1;
    fixture_put_inode(c->x, d, &v);
    c->tree = fixture_open_tree(c->x);
    assert_int_equal(pfs_tree_mkdir(c->tree, d, "e", 0777, &cred, &attr), PFS_EINVAL);
    assert_int_equal(calls_find(c, d, "e"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, calls_setup, calls_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_acl__to_mode),
        cmocka_unit_test(test_tree_acl__chmod),
        cmocka_unit_test(test_tree_acl__malformed),
        TEST(test_tree_acl__access_and_mode_follow_each_other),
        TEST(test_tree_acl__sgid_goes_if_asked),
        TEST(test_tree_acl__default_is_inherited),
        TEST(test_tree_acl__minimal_default_leaves_only_a_mode),
        TEST(test_tree_acl__umask_counts_where_there_is_no_default),
        TEST(test_tree_acl__malformed_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
