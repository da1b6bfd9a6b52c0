/* The journal's writer: appending, rolling, syncing together, failing, using segments again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/gateio.h"
#include "tests/lib/wal_fixture.h"

#define SEGMENT 4096

static void sync_all(struct wal *w)
{
    assert_int_equal(pfs_journal_sync(w->journal, pfs_journal_end(w->journal)), 0);
}

static void test_wal_journal__appends_over_segments(void **state)
{
    struct wal w;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 60; i++)
        wal_add(&w, i, 600);
    assert_in_range(wal_count_segments(&w), 5, 15);
    for (unsigned i = 0; i < w.n; i++) /* no record crosses from one into the next */
        assert_int_equal(pfs_segment_start(&w.id, w.records[i].lsn),
                         pfs_segment_start(&w.id, w.records[i].end - 1));
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 60);
    wal_release(&w);
}

/* Whatever is left at a segment's end: room for a pad, for less, for nothing. */
static void test_wal_journal__rolls_with_any_rest(void **state)
{
    (void)state;
    for (uint32_t rest = 0; rest <= 160; rest += 8) {
        struct wal w;
        unsigned n;

        wal_init(&w, SEGMENT);
        wal_add_len(&w, 1, SEGMENT - PFS_RECORD_HEADER - 80 - rest);
        assert_int_equal(w.records[0].end, PFS_LSN_FIRST + SEGMENT - rest);
        wal_add_len(&w, 2, 88);
        assert_int_equal(w.records[1].lsn, PFS_LSN_FIRST + SEGMENT);
        wal_add_len(&w, 3, 16);
        assert_int_equal(wal_verdict(&w, 0, &n), 0);
        assert_int_equal(n, 3);
        wal_close(&w);
        wal_open(&w, 1); /* and the next life rolls as well */
        wal_add_len(&w, 4, 160);
        assert_int_equal(wal_verdict(&w, 0, &n), 0);
        assert_int_equal(n, 2);
        wal_release(&w);
    }
}

static void test_wal_journal__a_record_fills_a_segment_and_no_more(void **state)
{
    static unsigned char data[SEGMENT];
    struct pfs_entry entry = {.kind = PFS_KIND_VALUE, .data = data, .len = SEGMENT - 80 + 1};
    struct wal w;
    pfs_lsn before, end = 1;

    (void)state;
    wal_init(&w, SEGMENT);
    before = pfs_journal_end(w.journal);
    pfs_record_seal_payloads(&entry, 1);
    assert_int_equal(pfs_journal_append(w.journal, PFS_OP_WRITE, &entry, 1, &end), PFS_EINVAL);
    assert_int_equal(pfs_journal_end(w.journal), before);
    assert_int_equal(end, 1);
    wal_add_len(&w, 1, SEGMENT - 80);
    wal_release(&w);
}

static void test_wal_journal__payloads_are_read_at_their_positions(void **state)
{
    struct pfs_entry e[2] = {{.kind = PFS_KIND_VALUE, .data = "abcde", .len = 5},
                             {.kind = PFS_KIND_VALUE, .data = "vwxyz!", .len = 6}};
    struct wal w;
    char buf[8];
    pfs_lsn end;

    (void)state;
    wal_init(&w, SEGMENT);
    pfs_record_seal_payloads(e, 2);
    assert_int_equal(pfs_journal_append(w.journal, PFS_OP_WRITE, e, 2, &end), 0);
    assert_int_equal(pfs_journal_pread(w.journal, buf, 5, e[0].pos), 0);
    assert_memory_equal(buf, "abcde", 5);
    assert_int_equal(pfs_journal_pread(w.journal, buf, 6, e[1].pos), 0);
    assert_memory_equal(buf, "vwxyz!", 6);
    assert_int_equal(end, e[1].pos + 8);
    assert_int_equal(pfs_journal_pread(w.journal, buf, 6, e[1].pos + SEGMENT), PFS_ENOENT);
    wal_release(&w);
}

static void test_wal_journal__readonly_takes_nothing(void **state)
{
    struct wal w;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    wal_close(&w);
    {
        struct pfs_journal_open how = {.io = w.io,
                                       .dir = WAL_DIR,
                                       .id = w.id,
                                       .start = PFS_LSN_FIRST,
                                       .end = w.records[0].end,
                                       .durable = PFS_LSN_FIRST,
                                       .readonly = true};

        assert_int_equal(pfs_journal_open(&how, &w.journal), 0);
    }
    assert_int_equal(wal_append(&w, 2, 100), PFS_EROFS);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 1);
    wal_release(&w);
}

static void test_wal_journal__needs_its_segments(void **state)
{
    struct pfs_journal_open how = {.dir = WAL_DIR, .start = PFS_LSN_FIRST};
    char name[PFS_SEGMENT_NAME];
    struct pfs_journal *j;
    struct wal w;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 30; i++)
        wal_add(&w, i, 600);
    wal_close(&w);
    how.io = w.io;
    how.id = w.id;
    how.end = how.durable = w.records[29].end;
    pfs_segment_name(name, WAL_DIR, PFS_LSN_FIRST + SEGMENT);
    assert_int_equal(w.io->ops->unlink(w.io, name), 0);
    assert_int_equal(pfs_journal_open(&how, &j), PFS_ECORRUPT);
    how.end = how.durable = PFS_LSN_FIRST + SEGMENT + 64;
    assert_int_equal(pfs_journal_open(&how, &j), PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), "missing"));
    wal_release(&w);
}

/* --- syncing ---------------------------------------------------------------------------------- */

static void test_wal_journal__sync_is_asked_for_once(void **state)
{
    struct pfs_journal_stats stats;
    struct wal w;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    wal_add(&w, 2, 100);
    assert_in_range(pfs_journal_durable(w.journal), 0, w.records[0].from);
    assert_int_equal(pfs_journal_sync(w.journal, w.records[0].end), 0);
    assert_int_equal(pfs_journal_durable(w.journal), w.records[1].end); /* one serves all */
    memio_fail_at(w.io, 1, PFS_EIO, true);
    assert_int_equal(pfs_journal_sync(w.journal, w.records[1].end), 0);
    pfs_journal_stats(w.journal, &stats);
    assert_int_equal(stats.syncs, 1);
    wal_release(&w);
}

struct syncer {
    pthread_t thread;
    struct pfs_journal *journal;
    pfs_lsn lsn;
    int err;
};

static void *sync_it(void *arg)
{
    struct syncer *s = arg;

    s->err = pfs_journal_sync(s->journal, s->lsn);
    if (!s->err && pfs_journal_durable(s->journal) < s->lsn)
        s->err = PFS_EINTERNAL;
    return NULL;
}

static void start(struct syncer *s, struct pfs_journal *journal, pfs_lsn lsn)
{
    *s = (struct syncer){.journal = journal, .lsn = lsn};
    assert_int_equal(pthread_create(&s->thread, NULL, sync_it, s), 0);
}

/* While a sync is under way others come: all of them are served by the next one. */
static void test_wal_journal__those_who_come_meanwhile_share_a_sync(void **state)
{
    struct pfs_journal_stats stats;
    struct syncer first, others[8];
    struct pfs_io *gate;
    struct wal w;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_close(&w);
    gate = gateio_create(w.io);
    {
        struct pfs_io *plain = w.io;

        w.io = gate;
        wal_open(&w, 0);
        w.io = plain;
    }
    wal_add(&w, 1, 100);
    gateio_shut(gate, true);
    start(&first, w.journal, w.records[0].end);
    gateio_await(gate, 1);
    wal_add(&w, 2, 100); /* appending goes on */
    for (unsigned i = 0; i < 8; i++)
        start(&others[i], w.journal, w.records[1].end);
    assert_in_range(pfs_journal_durable(w.journal), 0, w.records[0].from);
    gateio_shut(gate, false);
    pthread_join(first.thread, NULL);
    assert_int_equal(first.err, 0);
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(others[i].thread, NULL);
        assert_int_equal(others[i].err, 0);
    }
    pfs_journal_stats(w.journal, &stats);
    assert_int_equal(stats.syncs, 2);
    assert_in_range(stats.syncs_shared, 0, 7);
    wal_close(&w);
    gate->ops->destroy(gate);
    wal_release(&w);
}

struct crowd {
    struct wal *w;
    pthread_mutex_t commit_mu; /* one appender at a time */
    unsigned failed;           /* guarded by commit_mu */
};

static void *append_and_sync(void *arg)
{
    struct crowd *c = arg;

    for (unsigned i = 0; i < 80; i++) {
        pfs_lsn end;
        int err;

        pthread_mutex_lock(&c->commit_mu);
        err = wal_append(c->w, i, 300);
        end = pfs_journal_end(c->w->journal);
        pthread_mutex_unlock(&c->commit_mu);
        if (!err)
            err = pfs_journal_sync(c->w->journal, end);
        if (err || pfs_journal_durable(c->w->journal) < end) {
            pthread_mutex_lock(&c->commit_mu);
            c->failed++;
            pthread_mutex_unlock(&c->commit_mu);
        }
        pfs_journal_writeback(c->w->journal);
    }
    return NULL;
}

static void test_wal_journal__threads_append_and_sync(void **state)
{
    struct crowd c = {.commit_mu = PTHREAD_MUTEX_INITIALIZER};
    static struct wal w;
    pthread_t threads[4];
    bool wanted;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    c.w = &w;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_and_sync, &c), 0);
    for (unsigned i = 0; i < 50; i++) /* as the upkeep thread does */
        assert_int_equal(pfs_journal_prepare(w.journal, &wanted), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.failed, 0);
    assert_int_equal(pfs_journal_durable(w.journal), pfs_journal_end(w.journal));
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 320);
    wal_release(&w);
}

/* --- failing ---------------------------------------------------------------------------------- */

static void expect_poisoned(struct wal *w, pfs_lsn durable)
{
    assert_true(pfs_journal_poisoned(w->journal));
    assert_int_equal(wal_append(w, 99, 100), PFS_EIO);
    assert_int_equal(pfs_journal_sync(w->journal, pfs_journal_end(w->journal)), PFS_EIO);
    assert_int_equal(pfs_journal_durable(w->journal), durable);
    assert_int_equal(pfs_journal_sync(w->journal, durable), 0); /* this much is safe */
}

static void test_wal_journal__failed_sync_poisons(void **state)
{
    struct wal w;
    pfs_lsn durable;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    sync_all(&w);
    durable = pfs_journal_durable(w.journal);
    wal_add(&w, 2, 100);
    memio_fail_at(w.io, 1, PFS_EIO, false); /* the next one would succeed */
    assert_int_equal(pfs_journal_sync(w.journal, pfs_journal_end(w.journal)), PFS_EIO);
    expect_poisoned(&w, durable);
    wal_close(&w);
    wal_open(&w, 2); /* the kernel still had it; now it is written anew */
    wal_add(&w, 3, 100);
    sync_all(&w);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 3);
    wal_release(&w);
}

static void test_wal_journal__failed_write_poisons(void **state)
{
    struct wal w;
    pfs_lsn durable;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    sync_all(&w);
    durable = pfs_journal_durable(w.journal);
    memio_fail_at(w.io, 1, PFS_EIO, false);
    assert_int_equal(wal_append(&w, 2, 100), PFS_EIO);
    assert_true(pfs_journal_poisoned(w.journal));
    assert_int_equal(wal_append(&w, 3, 100), PFS_EIO);
    assert_int_equal(pfs_journal_durable(w.journal), durable);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 1);
    wal_release(&w);
}

/* No space at any call of an append that rolls: nothing was changed, and it works again. */
static void test_wal_journal__no_space_changes_nothing(void **state)
{
    unsigned nth = 0;
    bool met;

    (void)state;
    do {
        struct wal w;
        pfs_lsn end;
        unsigned n;
        int err;

        wal_init(&w, SEGMENT);
        wal_add_len(&w, 1, SEGMENT - 400);
        end = pfs_journal_end(w.journal);
        memio_fail_at(w.io, ++nth, PFS_ENOSPC, false);
        err = wal_append(&w, 2, 4000);
        met = memio_failed(w.io);
        memio_fail_at(w.io, 0, 0, false);
        if (met && err) {
            assert_int_equal(err, PFS_ENOSPC);
            assert_false(pfs_journal_poisoned(w.journal));
            assert_int_equal(pfs_journal_end(w.journal), end);
            assert_int_equal(wal_verdict(&w, 0, &n), 0);
            assert_int_equal(n, 1);
        }
        wal_add(&w, 3, 600);
        sync_all(&w);
        assert_int_equal(wal_verdict(&w, 0, &n), 0);
        assert_int_equal(n, w.n);
        wal_release(&w);
    } while (met);
    assert_in_range(nth, 8, 20);
}

/* A disk that stays full can't take back what was half written: then nothing more is accepted. */
static void test_wal_journal__no_space_for_taking_back_poisons(void **state)
{
    struct wal w;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    memio_fail_at(w.io, 1, PFS_ENOSPC, true);
    assert_int_equal(wal_append(&w, 2, 100), PFS_EIO);
    memio_fail_at(w.io, 0, 0, false);
    assert_true(pfs_journal_poisoned(w.journal));
    assert_int_equal(wal_append(&w, 3, 100), PFS_EIO);
    wal_close(&w);
    wal_open(&w, 1);
    wal_add(&w, 4, 100);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 2);
    wal_release(&w);
}

static void test_wal_journal__opening_on_a_failing_disk_fails(void **state)
{
    struct pfs_journal_open how = {.dir = WAL_DIR, .start = PFS_LSN_FIRST};
    struct wal w;
    unsigned nth = 0;
    int err;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 20; i++)
        wal_add(&w, i, 600);
    wal_close(&w);
    how.io = w.io;
    how.id = w.id;
    how.end = w.records[19].end;
    how.durable = w.records[5].end;
    do {
        memio_fail_at(w.io, ++nth, PFS_EIO, false);
        err = pfs_journal_open(&how, &w.journal);
        assert_int_equal(err, memio_failed(w.io) ? PFS_EIO : 0);
    } while (err);
    assert_in_range(nth, 10, 60);
    wal_release(&w);
}

/* --- segments come and go --------------------------------------------------------------------- */

static void test_wal_journal__trimmed_segments_are_used_again(void **state)
{
    struct pfs_journal_stats stats;
    struct wal w;
    unsigned n;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 500; i++) {
        wal_add(&w, i, 1200);
        sync_all(&w);
        if (i >= 10)
            assert_int_equal(pfs_journal_trim(w.journal, w.records[i - 10].from), 0);
        assert_in_range(wal_count_segments(&w), 1, 8);
    }
    pfs_journal_stats(w.journal, &stats);
    assert_int_equal(stats.start, pfs_segment_start(&w.id, w.records[489].from));
    assert_int_equal(stats.bytes, wal_count_segments(&w) * (PFS_SEGMENT_HEADER + SEGMENT));
    assert_int_equal(wal_verdict(&w, 489, &n), 0);
    assert_int_equal(n, 11);
    wal_release(&w);
}

/* More are let go of than are worth keeping. */
static void test_wal_journal__too_many_spares_are_deleted(void **state)
{
    struct wal w;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 60; i++)
        wal_add_len(&w, i, SEGMENT - 160);
    sync_all(&w);
    assert_in_range(wal_count_segments(&w), 60, 62);
    assert_int_equal(pfs_journal_trim(w.journal, w.records[59].from), 0);
    assert_in_range(wal_count_segments(&w), 2, 18);
    wal_release(&w);
}

/* The power fails with a segment in use that was used before: behind the end stand whole records of
 * its older life. */
static void test_wal_journal__stale_records_are_never_replayed(void **state)
{
    struct wal w;
    unsigned n, before;

    (void)state;
    wal_init(&w, SEGMENT);
    for (unsigned i = 0; i < 12; i++)
        wal_add_len(&w, i, 1284); /* three a segment */
    sync_all(&w);
    assert_int_equal(pfs_journal_trim(w.journal, w.records[11].from), 0);
    before = wal_count_segments(&w);
    for (unsigned i = 12; i < 16; i++) {
        wal_add_len(&w, i, 1284);
        assert_int_equal(wal_verdict(&w, 11, &n), 0);
        assert_int_equal(n, i - 10);
    }
    assert_int_equal(wal_count_segments(&w), before); /* it was an old one */
    wal_release(&w);
}

static void test_wal_journal__prepares_what_comes_next(void **state)
{
    struct wal w;
    bool wanted = true;
    unsigned n = 0;

    (void)state;
    wal_init(&w, SEGMENT);
    wal_add(&w, 1, 100);
    while (wanted) {
        assert_int_equal(pfs_journal_prepare(w.journal, &wanted), 0);
        assert_in_range(++n, 1, 5);
    }
    assert_int_equal(wal_count_segments(&w), 3);
    assert_int_equal(pfs_journal_prepare(w.journal, &wanted), 0);
    assert_false(wanted);
    assert_int_equal(wal_count_segments(&w), 3);
    memio_fail_at(w.io, 3, PFS_EIO, true); /* rolling takes two writes and nothing else */
    wal_add_len(&w, 2, 4000);
    memio_fail_at(w.io, 0, 0, false);
    assert_int_equal(wal_verdict(&w, 0, &n), 0);
    assert_int_equal(n, 2);
    wal_close(&w);
    wal_open(&w, 2); /* they are found again */
    assert_int_equal(wal_count_segments(&w), 3);
    wal_release(&w);
}

static void test_wal_journal__segments_behind_a_gap_are_removed(void **state)
{
    char name[PFS_SEGMENT_NAME];
    struct wal w;
    bool wanted = true;

    (void)state;
    wal_init(&w, SEGMENT);
    while (wanted)
        assert_int_equal(pfs_journal_prepare(w.journal, &wanted), 0);
    wal_close(&w);
    pfs_segment_name(name, WAL_DIR, PFS_LSN_FIRST + SEGMENT);
    assert_int_equal(w.io->ops->unlink(w.io, name), 0);
    wal_open(&w, 0);
    assert_int_equal(wal_count_segments(&w), 1);
    wal_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wal_journal__appends_over_segments),
        cmocka_unit_test(test_wal_journal__rolls_with_any_rest),
        cmocka_unit_test(test_wal_journal__a_record_fills_a_segment_and_no_more),
        cmocka_unit_test(test_wal_journal__payloads_are_read_at_their_positions),
        cmocka_unit_test(test_wal_journal__readonly_takes_nothing),
        cmocka_unit_test(test_wal_journal__needs_its_segments),
        cmocka_unit_test(test_wal_journal__sync_is_asked_for_once),
        cmocka_unit_test(test_wal_journal__those_who_come_meanwhile_share_a_sync),
        cmocka_unit_test(test_wal_journal__threads_append_and_sync),
        cmocka_unit_test(test_wal_journal__failed_sync_poisons),
        cmocka_unit_test(test_wal_journal__failed_write_poisons),
        cmocka_unit_test(test_wal_journal__no_space_changes_nothing),
        cmocka_unit_test(test_wal_journal__no_space_for_taking_back_poisons),
        cmocka_unit_test(test_wal_journal__opening_on_a_failing_disk_fails),
        cmocka_unit_test(test_wal_journal__trimmed_segments_are_used_again),
        cmocka_unit_test(test_wal_journal__too_many_spares_are_deleted),
        cmocka_unit_test(test_wal_journal__stale_records_are_never_replayed),
        cmocka_unit_test(test_wal_journal__prepares_what_comes_next),
        cmocka_unit_test(test_wal_journal__segments_behind_a_gap_are_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
