#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/mount/atime.h"
#include "fs/mount/mountpoint.h"
#include "fs/mount/options.h"

static int setup(void **state)
{
    struct pfs_mount_options *opt = malloc(sizeof(*opt));

    if (!opt)
        return -1;
    pfs_mount_options_init(opt);
    opt->volume = strdup("/vol");
    *state = opt;
    return 0;
}

static int teardown(void **state)
{
    pfs_mount_options_release(*state);
    free(*state);
    return 0;
}

static void add(struct pfs_mount_options *opt, const char *list)
{
    if (pfs_mount_options_add(opt, list, false) != 0)
        fail_msg("%s: %s", list, pfs_err_message());
}

static void refused(struct pfs_mount_options *opt, const char *list, const char *said)
{
    assert_int_equal(pfs_mount_options_add(opt, list, false), PFS_EINVAL);
    if (!strstr(pfs_err_message(), said))
        fail_msg("%s: the message is \"%s\"", list, pfs_err_message());
}

static void for_fuse(struct pfs_mount_options *opt, bool is_root, const char *expected)
{
    char *list;

    assert_int_equal(pfs_mount_options_for_fuse(opt, is_root, &list), 0);
    assert_string_equal(list, expected);
    free(list);
}

static void test_mount_options__defaults(void **state)
{
    struct pfs_mount_options *opt = *state;

    assert_false(opt->readonly);
    assert_null(opt->branch);
    assert_null(opt->log_file);
    assert_int_equal(opt->cache, PFS_CACHE_KERNEL);
    assert_int_equal(opt->atime, PFS_ATIME_RELATIME);
    assert_int_equal(opt->allow, PFS_ALLOW_DEFAULT);
    assert_int_equal(opt->threads, 64);
    assert_int_equal(opt->memtable_bytes, 0);
}

static void test_mount_options__takes_each(void **state)
{
    struct pfs_mount_options *opt = *state;

    add(opt, "ro,branch=main,cache=direct,noatime,noxattr,threads=8");
    add(opt, "memtable=16,block_cache=64,flush_journal=128,log=/var/log/x");
    assert_true(opt->readonly);
    assert_true(opt->no_xattr);
    assert_string_equal(opt->branch, "main");
    assert_int_equal(opt->cache, PFS_CACHE_DIRECT);
    assert_int_equal(opt->atime, PFS_ATIME_NOATIME);
    assert_int_equal(opt->threads, 8);
    assert_int_equal(opt->memtable_bytes, 16 << 20);
    assert_int_equal(opt->block_cache_bytes, 64 << 20);
    assert_int_equal(opt->flush_journal_bytes, 128 << 20);
    assert_string_equal(opt->log_file, "/var/log/x");
}

static void test_mount_options__later_ones_win(void **state)
{
    struct pfs_mount_options *opt = *state;

    add(opt, "ro,rw,noatime,strictatime,branch=a,branch=b,allow_root");
    add(opt, "allow_other,noallow_other,cache=direct,cache=kernel");
    assert_false(opt->readonly);
    assert_int_equal(opt->atime, PFS_ATIME_STRICT);
    assert_string_equal(opt->branch, "b");
    assert_int_equal(opt->allow, PFS_ALLOW_OWNER);
    assert_int_equal(opt->cache, PFS_CACHE_KERNEL);
}

static void test_mount_options__mount8_words_pass(void **state)
{
    struct pfs_mount_options *opt = *state;

    add(opt, "defaults,auto,noauto,nofail,_netdev,user,users,user=joe,owner,group,comment=x=y");
    add(opt, "x-systemd.automount,x-gvfs-show,X-mount.mkdir=0755,,silent,nodiratime,lazytime");
    assert_int_equal(opt->kernel.len, 0);
}

static void test_mount_options__kernel_words_are_handed_on_in_order(void **state)
{
    struct pfs_mount_options *opt = *state;

    add(opt, "nodev,noexec,exec,dirsync,sync,async");
    for_fuse(opt, true,
             "subtype=pagefs,default_permissions,max_read=1048576,suid,dev,allow_other,rw,"
             "nodev,noexec,exec,dirsync,sync,async,fsname=/vol");
}

static void test_mount_options__who_may_use_it(void **state)
{
    struct pfs_mount_options *opt = *state;

    for_fuse(opt, false, "subtype=pagefs,default_permissions,max_read=1048576,rw,fsname=/vol");
    add(opt, "allow_root,ro,noatime");
    for_fuse(opt, true,
             "subtype=pagefs,default_permissions,max_read=1048576,suid,dev,allow_root,ro,noatime,"
             "fsname=/vol");
    add(opt, "noallow_root");
    for_fuse(opt, true,
             "subtype=pagefs,default_permissions,max_read=1048576,suid,dev,ro,noatime,fsname=/vol");
}

static void test_mount_options__commas_in_values(void **state)
{
    struct pfs_mount_options *opt = *state;
    char *list;

    add(opt, "branch=a\\,b,log=\"/tmp/c,d\",context=\"system_u:object_r:tmp_t:s0:c1,c2\"");
    assert_string_equal(opt->branch, "a,b");
    assert_string_equal(opt->log_file, "/tmp/c,d");
    free(opt->volume);
    opt->volume = strdup("/v,o\\l");
    assert_int_equal(pfs_mount_options_for_fuse(opt, false, &list), 0);
    assert_non_null(strstr(list, ",context=system_u:object_r:tmp_t:s0:c1\\,c2,"));
    assert_non_null(strstr(list, ",fsname=/v\\,o\\\\l"));
    free(list);
}

static void test_mount_options__unknown_ones_are_named(void **state)
{
    struct pfs_mount_options *opt = *state;

    refused(opt, "ro,frobnicate", "unknown option frobnicate");
    refused(opt, "lsn=0/16B3748", "unknown option lsn=0/16B3748");
    refused(opt, "=3", "unknown option =3");
    refused(opt, "branches=x", "unknown option branches=x");
    refused(opt, "remount", "option remount is not supported");
    assert_int_equal(pfs_mount_options_add(opt, "frobnicate=1,lsn=0/1,noatime", true), 0);
    assert_int_equal(opt->atime, PFS_ATIME_NOATIME);
}

static void test_mount_options__bad_values_are_named(void **state)
{
    struct pfs_mount_options *opt = *state;

    refused(opt, "branch", "option branch needs a value");
    refused(opt, "branch=", "option branch needs a value");
    refused(opt, "ro=1", "option ro takes no value");
    refused(opt, "cache=none", "cache=none");
    refused(opt, "threads=0", "threads=0");
    refused(opt, "threads=1025", "threads=1025");
    refused(opt, "threads=-1", "threads=-1");
    refused(opt, "threads= 5", "threads= 5");
    refused(opt, "threads=5x", "threads=5x");
    refused(opt, "memtable=99999999999999999999", "memtable=99999999999999999999");
    assert_int_equal(pfs_mount_options_add(opt, "threads=0", true), PFS_EINVAL);
    assert_int_equal(opt->threads, 64);
}

static void test_mount_options__print_is_cut_to_size(void **state)
{
    struct pfs_mount_options *opt = *state;
    char all[256], some[8];

    add(opt, "branch=dev,memtable=5,nosuid");
    pfs_mount_options_print(opt, all, sizeof(all));
    assert_string_equal(all, "rw,relatime,cache=kernel,threads=64,branch=dev,memtable=5,nosuid");
    pfs_mount_options_print(opt, some, sizeof(some));
    assert_string_equal(some, "rw,rela");
}

static void test_mount_options__mountinfo_lines(void **state)
{
    char with[] = "36 35 0:52 / /mnt/a\\040b rw,noatime shared:1 master:2 - fuse.pagefs "
                  "/vol\\134x rw,user_id=0\n";
    char without[] = "36 35 8:1 / / rw - ext4 /dev/sda1 rw";
    char broken[] = "36 35 8:1 / / rw shared:1 ext4 /dev/sda1 rw";
    char empty[] = "\n";
    struct pfs_mount_entry e;

    (void)state;
    assert_true(pfs_mounts_parse(with, &e));
    assert_string_equal(e.device, "0:52");
    assert_string_equal(e.dir, "/mnt/a b");
    assert_string_equal(e.type, "fuse.pagefs");
    assert_string_equal(e.source, "/vol\\x");
    assert_true(pfs_mounts_parse(without, &e));
    assert_string_equal(e.type, "ext4");
    assert_false(pfs_mounts_parse(broken, &e));
    assert_false(pfs_mounts_parse(empty, &e));
}

static void test_mount_options__relatime(void **state)
{
    const uint64_t now = pfs_wall_ns(), day = 24 * 3600 * PFS_NS_PER_S;
    struct pfs_attr a = {.atime_ns = now - 5, .mtime_ns = now - 6, .ctime_ns = now - 6};

    (void)state;
    assert_false(pfs_atime_due(PFS_ATIME_RELATIME, &a));
    assert_false(pfs_atime_due(PFS_ATIME_NOATIME, &a));
    assert_true(pfs_atime_due(PFS_ATIME_STRICT, &a));
    a.ctime_ns = now - 5;
    assert_true(pfs_atime_due(PFS_ATIME_RELATIME, &a));
    a = (struct pfs_attr){.atime_ns = now - day, .mtime_ns = now - 2 * day};
    assert_true(pfs_atime_due(PFS_ATIME_RELATIME, &a));
    /* Before 1970. */
    a = (struct pfs_attr){.atime_ns = now - 5, .mtime_ns = (uint64_t)-1000, .ctime_ns = 0};
    assert_false(pfs_atime_due(PFS_ATIME_RELATIME, &a));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_mount_options__##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(defaults),
        TEST(takes_each),
        TEST(later_ones_win),
        TEST(mount8_words_pass),
        TEST(kernel_words_are_handed_on_in_order),
        TEST(who_may_use_it),
        TEST(commas_in_values),
        TEST(unknown_ones_are_named),
        TEST(bad_values_are_named),
        TEST(print_is_cut_to_size),
        TEST(mountinfo_lines),
        TEST(relatime),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
