/* pfs_tree_check(): names of files, directories and attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fs/tree/name.h"
#include "tests/lib/tree_fixture.h"

/* --- names ------------------------------------------------------------------------------------ */

static void test_tree_check_names__type_of_entry(void **state)
{
    struct fixture *x = *state;

    fixture_name_it(x, PFS_ROOT_INO, "s", x->s, S_IFREG);
    fixture_finds(x, 1, "entry \"s\" is of type 8, but inode 5 of type 10");
}

static void test_tree_check_names__entry_in_wrong_slot(void **state)
{
    struct fixture *x = *state;
    struct pfs_key key = fixture_slot_of(PFS_KEY_DENTRY, PFS_ROOT_INO, "s");

    fixture_drop(x, key);
    key.b ^= 0x100;
    fixture_put_dentry(x, key, "s", x->s, S_IFLNK);
    fixture_finds(x, 1, "entry \"s\" can't be found: it is in slot");
}

static void test_tree_check_names__gap_before_entry(void **state)
{
    struct fixture *x = *state;
    struct pfs_key key = fixture_slot_of(PFS_KEY_DENTRY, PFS_ROOT_INO, "s");

    fixture_drop(x, key);
    key.b += 2;
    fixture_put_dentry(x, key, "s", x->s, S_IFLNK);
    fixture_finds(x, 1, "of an entry can't be found, since");
}

static void test_tree_check_names__placeholder_is_no_gap(void **state)
{
    struct fixture *x = *state;
    struct pfs_key key = fixture_slot_of(PFS_KEY_DENTRY, PFS_ROOT_INO, "s");
    unsigned char bytes[PFS_DENTRY_FIXED];
    struct pfs_entry e = {.key = key};

    pfs_slot_placeholder(&e, bytes);
    fixture_put(x, key, e.kind, e.data, e.len);
    key.b++;
    fixture_put_dentry(x, key, "s", x->s, S_IFLNK);
    fixture_clean(x);
}

static void test_tree_check_names__name_twice(void **state)
{
    struct fixture *x = *state;
    struct pfs_key key = fixture_slot_of(PFS_KEY_DENTRY, PFS_ROOT_INO, "s");

    key.b++;
    fixture_put_dentry(x, key, "s", x->s, S_IFLNK);
    fixture_finds(x, 3, "entry \"s\" is there twice");
}

static void test_tree_check_names__name_that_is_none(void **state)
{
    struct fixture *x = *state;

    fixture_unname(x, PFS_ROOT_INO, "s");
    fixture_name_it(x, PFS_ROOT_INO, "a/b", x->s, S_IFLNK);
    fixture_finds(x, 1, "\"a/b\" is no name for an entry");
    fixture_unname(x, PFS_ROOT_INO, "a/b");
    fixture_name_it(x, PFS_ROOT_INO, "..", x->s, S_IFLNK);
    fixture_finds(x, 1, "\"..\" is no name for an entry");
}

static void test_tree_check_names__malformed_entry(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, fixture_slot_of(PFS_KEY_DENTRY, PFS_ROOT_INO, "s"), PFS_KIND_VALUE, "?", 1);
    fixture_finds(x, 3, "a directory entry has the wrong length");
}

static void test_tree_check_names__entry_in_a_file(void **state)
{
    struct fixture *x = *state;

    fixture_name_it(x, x->f, "z", x->s, S_IFLNK);
    fixture_finds(x, 2, "inode 2: entry \"z\" in what is no directory");
}

/* --- directories ------------------------------------------------------------------------------ */

static void test_tree_check_names__two_names_of_a_directory(void **state)
{
    struct fixture *x = *state;

    fixture_name_it(x, PFS_ROOT_INO, "d2", x->d, S_IFDIR);
    /* and the root has an entry and a link too many for what it says */
    fixture_finds(x, 3, "is another name of the directory 3");
}

static void test_tree_check_names__parent_disagrees(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->e, &v);
    v.parent = PFS_ROOT_INO;
    fixture_put_inode(x, x->e, &v);
    fixture_finds(x, 1, "entry \"e\" names the directory 4, which says that it is in 1");
}

static void test_tree_check_names__loop_of_directories(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    /* d leaves the root and goes into e, which is in d. All counts are right. */
    fixture_unname(x, PFS_ROOT_INO, "d");
    fixture_name_it(x, x->e, "d", x->d, S_IFDIR);
    fixture_get_inode(x, PFS_ROOT_INO, &v);
    v.size--;
    v.nlink--;
    fixture_put_inode(x, PFS_ROOT_INO, &v);
    fixture_get_inode(x, x->e, &v);
    v.size++;
    v.nlink++;
    fixture_put_inode(x, x->e, &v);
    fixture_get_inode(x, x->d, &v);
    v.parent = x->e;
    fixture_put_inode(x, x->d, &v);
    fixture_finds(x, 1, "the directory is its own ancestor");
}

static void test_tree_check_names__root_has_a_parent(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, PFS_ROOT_INO, &v);
    v.parent = x->d;
    fixture_put_inode(x, PFS_ROOT_INO, &v);
    fixture_finds(x, 1, "inode 1: the root's parent is inode 3");
}

/* --- extended attributes ---------------------------------------------------------------------- */

static void test_tree_check_names__count_of_attributes(void **state)
{
    struct fixture *x = *state;

    fixture_drop(x, fixture_slot_of(PFS_KEY_XATTR, x->f, "user.a"));
    fixture_finds(x, 1, "inode 2: its count of extended attributes is 1 too high");
}

static void test_tree_check_names__malformed_attribute(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, fixture_slot_of(PFS_KEY_XATTR, x->f, "user.a"), PFS_KIND_VALUE, "\x20", 1);
    fixture_finds(x, 2, "is malformed");
}

static void test_tree_check_names__attribute_in_wrong_slot(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, fixture_slot_of(PFS_KEY_XATTR, x->f, "user.a"), PFS_KIND_VALUE, "\x06user.cv",
                8);
    fixture_finds(x, 1, "attribute \"user.c\" can't be found");
}

int main(void)
{
#define BUILT(name)                                                                                \
    cmocka_unit_test_setup_teardown(test_tree_check_names__##name, fixture_setup_built,            \
                                    fixture_teardown)
    const struct CMUnitTest tests[] = {
        BUILT(type_of_entry),         BUILT(entry_in_wrong_slot), BUILT(gap_before_entry),
        BUILT(placeholder_is_no_gap), BUILT(name_twice),          BUILT(name_that_is_none),
        BUILT(malformed_entry),       BUILT(entry_in_a_file),     BUILT(two_names_of_a_directory),
        BUILT(parent_disagrees),      BUILT(loop_of_directories), BUILT(root_has_a_parent),
        BUILT(count_of_attributes),   BUILT(malformed_attribute), BUILT(attribute_in_wrong_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
