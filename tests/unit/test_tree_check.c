/* pfs_tree_check(): what is whole, inodes, orphans, pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/memio.h"
#include "tests/lib/tree_fixture.h"
#include "wal/segment.h"

/* --- what is whole ---------------------------------------------------------------------------- */

static void test_tree_check__nothing_yet(void **state)
{
    struct fixture *x = *state;

    fixture_clean(x);
    assert_int_equal(x->stats.inodes, 0);
}

static void test_tree_check__whole(void **state)
{
    struct fixture *x = *state;

    fixture_clean(x);
    assert_int_equal(x->stats.inodes, 5);
    assert_int_equal(x->stats.directories, 3);
    assert_int_equal(x->stats.entries, 5);
    assert_int_equal(x->stats.pages, 2);
    assert_int_equal(x->stats.bytes, 12000);
    assert_int_equal(x->stats.orphans, 0);
}

static void test_tree_check__whole_in_layers(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pfs_store_flush(x->store), 0);
    fixture_clean(x);
    assert_int_equal(x->stats.pages, 2);
}

static void test_tree_check__removed_ones_are_no_faults(void **state)
{
    struct fixture *x = *state;
    struct pfs_tree *tree = fixture_open_tree(x);

    assert_int_equal(pfs_tree_unlink(tree, PFS_ROOT_INO, "f"), 0);
    fixture_clean(x);
    assert_int_equal(pfs_tree_unlink(tree, x->d, "g"), 0);
    assert_int_equal(pfs_tree_rmdir(tree, x->d, "e"), 0);
    fixture_clean(x); /* pages and attributes of f wait for garbage collection */
    assert_int_equal(x->stats.pages, 0);
    pfs_tree_close(tree);
}

static void test_tree_check__orphan_is_no_fault(void **state)
{
    struct fixture *x = *state;
    struct pfs_tree *tree = fixture_open_tree(x);
    struct pfs_handle *h, *dir;

    assert_int_equal(pfs_tree_open_file(tree, x->f, 0, &h), 0);
    assert_int_equal(pfs_tree_open_dir(tree, x->e, &dir), 0);
    assert_int_equal(pfs_tree_unlink(tree, PFS_ROOT_INO, "f"), 0);
    assert_int_equal(pfs_tree_unlink(tree, x->d, "g"), 0);
    assert_int_equal(pfs_tree_rmdir(tree, x->d, "e"), 0);
    fixture_clean(x);
    assert_int_equal(x->stats.orphans, 2);
    pfs_tree_release(tree, h);
    pfs_tree_release(tree, dir);
    fixture_clean(x);
    assert_int_equal(x->stats.orphans, 0);
    pfs_tree_close(tree);
}

static void test_tree_check__cut_file_is_whole(void **state)
{
    struct fixture *x = *state;
    struct pfs_tree *tree = fixture_open_tree(x);
    struct pfs_attr attr = {.size = 100};

    assert_int_equal(pfs_tree_setattr(tree, x->f, PFS_SET_SIZE, &attr, &attr), 0);
    fixture_clean(x);
    assert_int_equal(x->stats.pages, 1);
    attr.size = 20000;
    assert_int_equal(pfs_tree_setattr(tree, x->f, PFS_SET_SIZE, &attr, &attr), 0);
    fixture_clean(x);
    pfs_tree_close(tree);
}

/* --- inodes ----------------------------------------------------------------------------------- */

static void test_tree_check__missing_inode(void **state)
{
    struct fixture *x = *state;

    fixture_drop(x, pfs_key(PFS_KEY_INODE, x->s, 0));
    fixture_finds(x, 1, "entry \"s\" names inode 5, which isn't there");
}

static void test_tree_check__missing_root(void **state)
{
    struct fixture *x = *state;

    fixture_drop(x, pfs_key(PFS_KEY_INODE, PFS_ROOT_INO, 0));
    fixture_finds(x, 4, "there is no root directory");
    assert_non_null(strstr(x->said, "entry \"f\" in a directory that isn't there"));
}

static void test_tree_check__malformed_inode(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, pfs_key(PFS_KEY_INODE, x->s, 0), PFS_KIND_VALUE, "short", 5);
    fixture_finds(x, 2, "inode 5: an inode's value is 5 bytes short or malformed");
}

static void test_tree_check__inode_without_name(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v = {.mode = S_IFREG | 0644, .nlink = 1};

    fixture_put_inode(x, pfs_store_new_ino(x->store), &v);
    fixture_finds(x, 1, "inode 6: no entry names it (link count 1)");
}

static void test_tree_check__number_to_be_given_again(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v = {.mode = S_IFREG | 0644, .nlink = 1};

    fixture_put_inode(x, 99, &v);
    fixture_finds(x, 2, "inode 99: the next new one would be 6");
}

static void test_tree_check__link_count(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->f, &v);
    v.nlink = 3;
    fixture_put_inode(x, x->f, &v);
    fixture_finds(x, 1, "inode 2: link count 3, should be 2");
}

static void test_tree_check__link_count_of_directory(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->d, &v);
    v.nlink = 2;
    fixture_put_inode(x, x->d, &v);
    fixture_finds(x, 1, "inode 3: link count 2, should be 3");
}

static void test_tree_check__count_of_entries(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->d, &v);
    v.size = 5;
    fixture_put_inode(x, x->d, &v);
    fixture_finds(x, 1, "inode 3: the directory's count of entries is 3 too high");
}

static void test_tree_check__mode_of_no_type(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->f, &v);
    v.mode = 0644;
    fixture_put_inode(x, x->f, &v);
    assert_int_equal(fixture_check(x), PFS_ECORRUPT);
    assert_non_null(strstr(x->said, "inode 2: mode 644 is of no type"));
}

static void test_tree_check__target_of_symlink(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->s, &v);
    v.size = 7;
    fixture_put_inode(x, x->s, &v);
    fixture_finds(x, 1, "inode 5: a target of 1 bytes");
}

static void test_tree_check__mark_past_the_end(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v;

    fixture_get_inode(x, x->f, &v);
    v.marks = calloc(1, sizeof(*v.marks));
    assert_non_null(v.marks);
    v.marks[0] = (struct pfs_mark){.lsn = PFS_LSN_FIRST, .size = 20000};
    v.n_marks = 1;
    fixture_put_inode(x, x->f, &v);
    fixture_finds(x, 1, "inode 2: a truncation mark (LSN 0/1000000, size 20000) past its end");
}

/* --- orphans ---------------------------------------------------------------------------------- */

static void test_tree_check__orphan_with_links(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, pfs_key(PFS_KEY_ORPHAN, x->f, 0), PFS_KIND_VALUE, NULL, 0);
    fixture_finds(x, 1, "inode 2: the next mount would remove it, but it has 2 links");
}

static void test_tree_check__orphan_without_inode(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, pfs_key(PFS_KEY_ORPHAN, 77, 0), PFS_KIND_VALUE, NULL, 0);
    fixture_finds(x, 1, "orphan 77: there is no such inode");
}

static void test_tree_check__unlinked_without_orphan(void **state)
{
    struct fixture *x = *state;
    struct pfs_ivalue v = {.mode = S_IFREG | 0644, .nlink = 0};

    fixture_put_inode(x, pfs_store_new_ino(x->store), &v);
    fixture_finds(x, 1, "inode 6: no entry names it (link count 0)");
}

/* --- pages ------------------------------------------------------------------------------------ */

static void test_tree_check__page_past_the_end(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, pfs_key(PFS_KEY_PAGE, x->f, 7), PFS_KIND_VALUE, "1234567", 8);
    fixture_finds(x, 1, "inode 2: page 7 holds data past the file's end at 12000");
    fixture_put(x, pfs_key(PFS_KEY_PAGE, x->f, 7), PFS_KIND_ZERO, NULL, 0);
    fixture_clean(x);
}

static void test_tree_check__tail_past_the_end(void **state)
{
    struct fixture *x = *state;
    unsigned char page[8192];

    memset(page, 'y', sizeof(page));
    fixture_put(x, pfs_key(PFS_KEY_PAGE, x->f, 1), PFS_KIND_VALUE, page, 12000 - 8192);
    fixture_clean(x);
    fixture_put(x, pfs_key(PFS_KEY_PAGE, x->f, 1), PFS_KIND_VALUE, page, 12000 - 8192 + 8);
    fixture_finds(x, 1, "inode 2: page 1 holds data past the file's end at 12000");
}

static void test_tree_check__page_of_a_directory(void **state)
{
    struct fixture *x = *state;

    fixture_put(x, pfs_key(PFS_KEY_PAGE, x->d, 0), PFS_KIND_VALUE, "1234567", 8);
    fixture_finds(x, 1, "inode 3: has a page 0, but no place for it");
}

static void test_tree_check__delta_on_nothing(void **state)
{
    struct fixture *x = *state;
    struct pfs_entry entry = {.key = pfs_key(PFS_KEY_PAGE, x->f, 3),
                              .kind = PFS_KIND_DELTA,
                              .depth = 1,
                              .data = "12345678",
                              .len = 8};
    struct pfs_ivalue v;
    pfs_lsn lsn;

    fixture_get_inode(x, x->f, &v);
    v.size = 8192 * 4;
    fixture_put_inode(x, x->f, &v);
    assert_int_equal(pfs_store_commit(x->store, PFS_OP_WRITE, &entry, 1, &lsn), 0);
    fixture_finds(x, 1, "the version that a delta stands on is missing");
}

static void test_tree_check__damaged_page(void **state)
{
    struct fixture *x = *state;
    size_t len;
    unsigned char *segment = memio_bytes(x->io, "branches/1/journal/0000000001000000.seg", &len);
    unsigned char *at = memmem(segment, len, "xxxxxxxxxxxxxxxx", 16);

    assert_non_null(at);
    *at ^= 1;
    fixture_finds(x, 1, "inode 2 page 0 at LSN");
    assert_non_null(strstr(x->said, "checksum mismatch"));
}

int main(void)
{
#define EMPTY(name)                                                                                \
    cmocka_unit_test_setup_teardown(test_tree_check__##name, fixture_setup, fixture_teardown)
#define BUILT(name)                                                                                \
    cmocka_unit_test_setup_teardown(test_tree_check__##name, fixture_setup_built, fixture_teardown)
    const struct CMUnitTest tests[] = {
        EMPTY(nothing_yet),
        BUILT(whole),
        BUILT(whole_in_layers),
        BUILT(removed_ones_are_no_faults),
        BUILT(orphan_is_no_fault),
        BUILT(cut_file_is_whole),
        BUILT(missing_inode),
        BUILT(missing_root),
        BUILT(malformed_inode),
        BUILT(inode_without_name),
        BUILT(number_to_be_given_again),
        BUILT(link_count),
        BUILT(link_count_of_directory),
        BUILT(count_of_entries),
        BUILT(mode_of_no_type),
        BUILT(target_of_symlink),
        BUILT(mark_past_the_end),
        BUILT(orphan_with_links),
        BUILT(orphan_without_inode),
        BUILT(unlinked_without_orphan),
        BUILT(page_past_the_end),
        BUILT(tail_past_the_end),
        BUILT(page_of_a_directory),
        BUILT(delta_on_nothing),
        BUILT(damaged_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
