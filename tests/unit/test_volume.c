/* Volumes: making, opening, locking; in a directory of the real disk, since a lock is the
 * system's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/pages/sealed.h"
#include "fs/pages/volume.h"
#include "tests/lib/memio.h"

static char path[256];

static int run(const char *command)
{
    char line[600];

    snprintf(line, sizeof(line), command, path);
    return system(line);
}

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(path, sizeof(path), "%s/pagefs-test-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(path) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return run("rm -rf '%s'");
}

static struct pfs_volume *open_volume(enum pfs_volume_mode mode)
{
    struct pfs_volume *v;

    if (pfs_volume_open(path, mode, 0, &v))
        fail_msg("open: %s", pfs_err_message());
    return v;
}

static void refused(enum pfs_volume_mode mode, int err, const char *words)
{
    struct pfs_volume *v;

    assert_int_equal(pfs_volume_open(path, mode, 0, &v), err);
    if (!strstr(pfs_err_message(), words))
        fail_msg("no \"%s\" in: %s", words, pfs_err_message());
}

/* --- making ----------------------------------------------------------------------------------- */

static void test_pages_volume__created_and_opened(void **state)
{
    const struct pfs_volume_info *info;
    const struct pfs_branch_ref *branch;
    struct pfs_store_config config;
    struct pfs_store *store;
    struct pfs_volume *v;
    char dir[64];

    (void)state;
    assert_int_equal(pfs_volume_create(path, 16384), 0);
    v = open_volume(PFS_VOLUME_WRITE);
    info = pfs_volume_info(v);
    assert_int_equal(info->page_size, 16384);
    assert_int_equal(info->n_branches, 1);
    assert_int_equal(strlen(info->uuid_text), 36);
    assert_int_equal(info->uuid_text[14], '4'); /* RFC 4122, random */
    assert_string_equal(pfs_volume_path(v), path);
    assert_int_equal(pfs_volume_find_branch(v, "main", &branch), 0);
    assert_int_equal(branch->id, 1);
    assert_int_equal(pfs_volume_find_branch(v, "nope", &branch), PFS_ENOENT);
    assert_non_null(strstr(pfs_err_message(), "it has: main"));
    pfs_volume_store_config(v, branch, &config, dir);
    assert_string_equal(config.dir, "branches/1");
    assert_int_equal(config.page_size, 16384);
    assert_false(config.readonly);
    config.background = false;
    assert_int_equal(pfs_store_open(&config, &store), 0);
    assert_int_equal(pfs_store_close(store), 0);
    pfs_volume_close(v);
}

static void test_pages_volume__makes_its_directory(void **state)
{
    (void)state;
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    pfs_volume_close(open_volume(PFS_VOLUME_READ));
}

static void test_pages_volume__two_are_never_alike(void **state)
{
    struct pfs_volume *v;
    uint8_t uuid[16];
    uint64_t seed;

    (void)state;
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    v = open_volume(PFS_VOLUME_PEEK);
    memcpy(uuid, pfs_volume_info(v)->uuid, 16);
    seed = pfs_volume_info(v)->name_seed;
    pfs_volume_close(v);
    assert_int_equal(run("rm -r '%s'/*"), 0);
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    v = open_volume(PFS_VOLUME_PEEK);
    assert_memory_not_equal(uuid, pfs_volume_info(v)->uuid, 16);
    assert_true(seed != pfs_volume_info(v)->name_seed);
    pfs_volume_close(v);
}

static void test_pages_volume__refuses_what_is_not_empty(void **state)
{
    (void)state;
    assert_int_equal(run("mkdir '%s'/lost+found"), 0); /* a fresh filesystem is empty enough */
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    assert_int_equal(pfs_volume_create(path, 8192), PFS_EEXIST);
    assert_non_null(strstr(pfs_err_message(), "already holds a pagefs volume"));
    assert_int_equal(run("rm '%s'/volume"), 0);
    assert_int_equal(pfs_volume_create(path, 8192), PFS_ENOTEMPTY);
    assert_non_null(strstr(pfs_err_message(), "branches"));
}

static void test_pages_volume__page_sizes(void **state)
{
    static const uint32_t bad[] = {0, 1, 512, 2048, 4095, 4097, 12288, 131072};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pfs_volume_create(path, bad[i]), PFS_EINVAL);
    assert_int_equal(pfs_volume_create(path, 65536), 0);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void test_pages_volume__not_a_volume(void **state)
{
    char here[sizeof(path)];

    (void)state;
    refused(PFS_VOLUME_PEEK, PFS_ENOENT, "is not a pagefs volume");
    assert_int_equal(run("echo rubbish > '%s'/volume"), 0);
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "volume");
    snprintf(here, sizeof(here), "%s", path);
    strcat(path, "/volume");
    refused(PFS_VOLUME_PEEK, PFS_ENOTDIR, path);
    strcpy(path, here);
    strcat(path, "/nothing");
    refused(PFS_VOLUME_PEEK, PFS_ENOENT, path);
    strcpy(path, here);
}

static void test_pages_volume__one_writer_or_several_readers(void **state)
{
    struct pfs_volume *a, *b;

    (void)state;
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    a = open_volume(PFS_VOLUME_WRITE);
    refused(PFS_VOLUME_WRITE, PFS_EBUSY, "in use");
    refused(PFS_VOLUME_READ, PFS_EBUSY, "in use");
    pfs_volume_close(open_volume(PFS_VOLUME_PEEK));
    pfs_volume_close(a);
    a = open_volume(PFS_VOLUME_READ);
    b = open_volume(PFS_VOLUME_READ);
    refused(PFS_VOLUME_WRITE, PFS_EBUSY, "in use");
    pfs_volume_close(a);
    pfs_volume_close(b);
    pfs_volume_close(open_volume(PFS_VOLUME_WRITE));
}

static void test_pages_volume__tells_who_holds_it(void **state)
{
    struct pfs_volume *a, *b;
    char holder[512], pid[64];

    (void)state;
    snprintf(pid, sizeof(pid), "pid=%ld ", (long)getpid());
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    b = open_volume(PFS_VOLUME_PEEK);
    assert_int_equal(pfs_volume_holder(b, holder, sizeof(holder)), PFS_ENOENT);
    a = open_volume(PFS_VOLUME_WRITE);
    assert_int_equal(pfs_volume_set_holder(a, "/mnt/here"), 0);
    assert_int_equal(pfs_volume_holder(b, holder, sizeof(holder)), 0);
    assert_memory_equal(holder, pid, strlen(pid));
    assert_non_null(strstr(holder, "host="));
    assert_non_null(strstr(holder, "mount=/mnt/here"));
    refused(PFS_VOLUME_WRITE, PFS_EBUSY, pid);
    pfs_volume_close(a);
    assert_int_equal(pfs_volume_holder(b, holder, sizeof(holder)), PFS_ENOENT);
    pfs_volume_close(b);
}

/* The lock goes with its holder, however that ends; a kill leaves no lock behind. */
static void test_pages_volume__lock_ends_with_its_process(void **state)
{
    struct pfs_volume *v;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(pfs_volume_create(path, 8192), 0);
    pid = fork();
    if (pid == 0) {
        if (pfs_volume_open(path, PFS_VOLUME_WRITE, 0, &v) || pfs_volume_set_holder(v, "/x"))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pfs_volume_close(open_volume(PFS_VOLUME_WRITE));
}

/* --- the volume file -------------------------------------------------------------------------- */

static const uint8_t uuid[16] = {0xde, 0xad, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0xff};

/* Format in memory, change the volume file, and put it where it can be opened. */
static void reseal(const char *key, json_t *value)
{
    struct pfs_io *io = memio_create();
    FILE *file;
    char name[300];
    json_t *doc;
    void *bytes;
    size_t len;

    assert_int_equal(pfs_volume_format(io, 8192, uuid, 0xfeed, 123), 0);
    assert_int_equal(pfs_sealed_read(io, "volume", "pagefs-volume", 1, &doc), 0);
    if (key)
        json_object_set_new(doc, key, value);
    assert_int_equal(pfs_sealed_write(io, ".", "volume", "pagefs-volume", 1, doc), 0);
    json_decref(doc);
    bytes = memio_bytes(io, "volume", &len);
    snprintf(name, sizeof(name), "%s/volume", path);
    file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    io->ops->destroy(io);
}

static void test_pages_volume__file_comes_back(void **state)
{
    const struct pfs_volume_info *info;
    struct pfs_volume *v;

    (void)state;
    reseal(NULL, NULL);
    v = open_volume(PFS_VOLUME_PEEK);
    info = pfs_volume_info(v);
    assert_memory_equal(info->uuid, uuid, 16);
    assert_string_equal(info->uuid_text, "dead0102-0304-0506-0708-090a0b0c0dff");
    assert_int_equal(info->name_seed, 0xfeed);
    assert_int_equal(info->created_ns, 123);
    assert_string_equal(info->branches[0].name, "main");
    assert_int_equal(info->branches[0].created_ns, 123);
    pfs_volume_close(v);
}

static void test_pages_volume__sealed_nonsense_is_refused(void **state)
{
    char name[PFS_BRANCH_NAME_MAX + 2];

    (void)state;
    reseal("page_size", json_integer(8193));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "page size");
    reseal("page_size", json_integer(INT64_C(1) << 32 | 8192));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "page size");
    reseal("uuid", json_string("dead0102-0304-0506-0708-090a0b0c0dfx"));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "uuid");
    reseal("uuid", json_string("dead0102"));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "uuid");
    reseal("name_seed", json_integer(1));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "name_seed");
    reseal("branches", json_array());
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "branches");
    reseal("branches", json_pack("[{s:i, s:s, s:i}]", "id", 0, "name", "m", "created_ns", 1));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "branch id 0");
    reseal("branches", json_pack("[{s:i, s:s, s:i}]", "id", 1, "name", "", "created_ns", 1));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "no proper name");
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    reseal("branches", json_pack("[{s:i, s:s, s:i}]", "id", 1, "name", name, "created_ns", 1));
    refused(PFS_VOLUME_PEEK, PFS_ECORRUPT, "no proper name");
}

/* A directory with a volume file is a whole volume: it is written last. */
static void test_pages_volume__half_made_is_no_volume(void **state)
{
    unsigned nth = 0;
    int err;

    (void)state;
    do {
        struct pfs_io *io = memio_create();
        size_t len;

        memio_fail_at(io, ++nth, PFS_EIO, true);
        err = pfs_volume_format(io, 8192, uuid, 1, 1);
        assert_int_equal(err, memio_failed(io) ? PFS_EIO : 0);
        memio_fail_at(io, 0, 0, false);
        if (memio_bytes(io, "volume", &len)) {
            struct pfs_store_config config = {
                .io = io, .dir = "branches/1", .branch_id = 1, .page_size = 8192, .readonly = true};
            struct pfs_store *store;

            memcpy(config.uuid, uuid, 16);
            assert_int_equal(pfs_store_open(&config, &store), 0);
            assert_int_equal(pfs_store_close(store), 0);
        }
        io->ops->destroy(io);
    } while (err);
    assert_in_range(nth, 20, 60);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_volume__created_and_opened),
        TEST(test_pages_volume__makes_its_directory),
        TEST(test_pages_volume__two_are_never_alike),
        TEST(test_pages_volume__refuses_what_is_not_empty),
        TEST(test_pages_volume__page_sizes),
        TEST(test_pages_volume__not_a_volume),
        TEST(test_pages_volume__one_writer_or_several_readers),
        TEST(test_pages_volume__tells_who_holds_it),
        TEST(test_pages_volume__lock_ends_with_its_process),
        TEST(test_pages_volume__file_comes_back),
        TEST(test_pages_volume__sealed_nonsense_is_refused),
        TEST(test_pages_volume__half_made_is_no_volume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
