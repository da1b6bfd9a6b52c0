/* The store against a model of its history: commits, reads and scans at any LSN, across freezing,
 * flushing and opening anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"
#include "tests/lib/store_model.h"
#include "wal/segment.h"

static int setup(void **state)
{
    struct history *h = malloc(sizeof(*h));
    struct pfs_io *io = memio_create();

    if (!h || io->ops->mkdir(io, "branches") || io->ops->mkdir(io, "branches/1"))
        return -1;
    history_init(h, io, 1);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct history *h = *state;
    struct pfs_io *io = h->io;

    history_release(h);
    io->ops->destroy(io);
    free(h);
    return 0;
}

static struct pfs_store_stats stats_of(struct history *h)
{
    struct pfs_store_stats stats;

    pfs_store_stats(h->store, &stats);
    return stats;
}

static void test_pages_store__empty(void **state)
{
    struct history *h = *state;

    history_check(h, PFS_LSN_MAX);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_close(h);
    history_open(h);
    history_check(h, PFS_LSN_MAX);
    assert_int_equal(stats_of(h).layers, 0);
}

static void test_pages_store__memtable_agrees_with_history(void **state)
{
    struct history *h = *state;

    h->config.flush_journal_bytes = 0; /* as mounts have it: nothing is frozen here */
    history_close(h);
    history_open(h);
    history_commits(h, 400);
    assert_int_equal(stats_of(h).memtables, 1);
    history_check_all(h, 15);
}

static void test_pages_store__layers_agree_with_history(void **state)
{
    struct history *h = *state;

    for (unsigned i = 0; i < 8; i++) {
        history_commits(h, 40);
        assert_int_equal(pfs_store_flush(h->store), 0);
        history_check_all(h, 1);
    }
    assert_in_range(stats_of(h).layers, 8, 30);
    assert_int_equal(stats_of(h).flushed, stats_of(h).head);
    history_check_all(h, 10);
}

/* Anything in any order. */
static void test_pages_store__agrees_with_history_whatever_happens(void **state)
{
    struct history *h = *state;

    for (unsigned i = 0; i < 60; i++) {
        history_commits(h, (unsigned)(model_random(&h->random) % 40));
        switch (model_random(&h->random) % 6) {
        case 0:
            assert_int_equal(pfs_store_flush(h->store), 0);
            break;
        case 1:
            history_close(h);
            history_open(h);
            break;
        case 2:
            history_abandon(h);
            history_open(h);
            break;
        case 3:
            assert_int_equal(pfs_store_sync(h->store, pfs_store_head(h->store)), 0);
            assert_int_equal(pfs_store_durable(h->store), pfs_store_head(h->store));
            break;
        default:
            break;
        }
        history_check_all(h, 1);
    }
    history_check_all(h, 10);
    assert_in_range(stats_of(h).layers, 5, 100);
}

/* The smallest memtable there is: one record. Writers without a thread flush for themselves. */
static void test_pages_store__a_memtable_for_each_record(void **state)
{
    struct history *h = *state;

    history_close(h);
    h->config.memtable_bytes = 1;
    history_open(h);
    history_commits(h, 60);
    assert_in_range(stats_of(h).layers, 50, 60);
    assert_int_equal(stats_of(h).memtables, 3);
    history_check_all(h, 5);
    history_abandon(h);
    history_open(h);
    history_check_all(h, 5);
}

static void test_pages_store__replays_only_what_is_past_the_flush(void **state)
{
    struct history *h = *state;

    history_commits(h, 100);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_commits(h, 7);
    history_abandon(h);
    history_open(h);
    assert_int_equal(stats_of(h).recovered_records, 7);
    history_check_all(h, 5);
    history_close(h);
    history_open(h);
    assert_int_equal(stats_of(h).recovered_records, 7);
}

static void test_pages_store__journal_is_let_go(void **state)
{
    struct history *h = *state;

    for (unsigned i = 0; i < 20; i++) {
        history_commits(h, 50);
        assert_int_equal(pfs_store_flush(h->store), 0);
        assert_int_equal(stats_of(h).journal_start,
                         stats_of(h).head & ~(pfs_lsn)(h->config.segment_bytes - 1));
        assert_in_range(stats_of(h).journal_bytes, 1, 20 * (8192 + 4096));
    }
    history_check_all(h, 5);
}

/* A scan reads what was there when it began, whatever is flushed and let go meanwhile. */
static void test_pages_store__a_scan_keeps_what_it_reads(void **state)
{
    struct history *h = *state;
    struct pfs_key from = {0}, to = pfs_key(PFS_KEY_PAGE, UINT64_MAX, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    unsigned before = 0, during = 0;

    history_commits(h, 50);
    assert_int_equal(pfs_scan_begin(h->store, &from, &to, PFS_LSN_MAX, &scan), 0);
    while (pfs_scan_next(scan, &v) == 0)
        before++;
    pfs_scan_end(scan);
    assert_int_equal(pfs_scan_begin(h->store, &from, &to, PFS_LSN_MAX, &scan), 0);
    for (unsigned i = 0; i < 10; i++) {
        history_commits(h, 30);
        assert_int_equal(pfs_store_flush(h->store), 0);
        during += pfs_scan_next(scan, &v) == 0;
    }
    while (pfs_scan_next(scan, &v) == 0)
        during++;
    pfs_scan_end(scan);
    assert_int_equal(during, before);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_check_all(h, 3);
}

static void test_pages_store__inode_numbers_are_never_used_again(void **state)
{
    struct history *h = *state;
    uint64_t last = 1;

    for (unsigned i = 0; i < 6; i++) {
        struct pfs_entry entry = {.kind = PFS_KIND_VALUE};
        uint64_t ino = pfs_store_new_ino(h->store);
        pfs_lsn lsn;

        assert_in_range(ino, last + 1, last + 100);
        last = ino;
        entry.key = pfs_key(PFS_KEY_INODE, ino, 0);
        assert_int_equal(pfs_store_commit(h->store, PFS_OP_CREATE, &entry, 1, &lsn), 0);
        entry.kind = PFS_KIND_DELETE;
        assert_int_equal(pfs_store_commit(h->store, PFS_OP_UNLINK, &entry, 1, &lsn), 0);
        if (i == 2) /* then killed: only the manifest knows of it */
            assert_int_equal(pfs_store_flush(h->store), 0);
        if (i % 2)
            history_close(h);
        else
            history_abandon(h);
        history_open(h);
    }
}

static void test_pages_store__readonly_reads_and_writes_nothing(void **state)
{
    struct history *h = *state;
    unsigned char *bytes, *copy;
    size_t len;

    history_commits(h, 30);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_commits(h, 5);
    history_abandon(h);
    h->config.readonly = true;
    bytes = memio_bytes(h->io, "branches/1/manifest", &len);
    copy = malloc(len);
    memcpy(copy, bytes, len);
    memio_put(h->io, "branches/1/layers/garbage", "x", 1);
    history_open(h);
    history_check_all(h, 5);
    assert_int_equal(history_commit(h), PFS_EROFS);
    assert_int_equal(pfs_store_flush(h->store), PFS_EROFS);
    assert_int_equal(pfs_store_sync(h->store, PFS_LSN_MAX), 0);
    history_close(h);
    assert_memory_equal(memio_bytes(h->io, "branches/1/manifest", &len), copy, len);
    assert_non_null(memio_bytes(h->io, "branches/1/layers/garbage", &len));
    free(copy);
    h->config.readonly = false;
    history_open(h); /* the next one that may write removes it */
    assert_null(memio_bytes(h->io, "branches/1/layers/garbage", &len));
    history_check_all(h, 2);
}

static void test_pages_store__refuses_a_record_that_is_too_large(void **state)
{
    struct history *h = *state;
    static unsigned char data[8192];
    struct pfs_entry entry = {
        .key = pfs_key(PFS_KEY_INODE, 1, 0), .kind = PFS_KIND_VALUE, .len = 8192, .data = data};
    pfs_lsn head = pfs_store_head(h->store), lsn;

    assert_int_equal(pfs_store_commit(h->store, PFS_OP_WRITE, &entry, 1, &lsn), PFS_EINVAL);
    assert_int_equal(pfs_store_head(h->store), head);
    history_commits(h, 5);
    history_check(h, PFS_LSN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages_store__empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__memtable_agrees_with_history, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__layers_agree_with_history, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__agrees_with_history_whatever_happens,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__a_memtable_for_each_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__replays_only_what_is_past_the_flush,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__journal_is_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__a_scan_keeps_what_it_reads, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__inode_numbers_are_never_used_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__readonly_reads_and_writes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages_store__refuses_a_record_that_is_too_large, setup,
                                        teardown),
    };

    pfs_log_set_level(PFS_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
