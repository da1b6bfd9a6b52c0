/* The store on disks that are full, fail, or were damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/lib/gateio.h"
#include "tests/lib/memio.h"
#include "tests/lib/store_model.h"
#include "wal/segment.h"

#define DIR      "branches/1"
#define MANIFEST DIR "/manifest"

static struct pfs_io *new_disk(void)
{
    struct pfs_io *io = memio_create();

    assert_int_equal(io->ops->mkdir(io, "branches"), 0);
    assert_int_equal(io->ops->mkdir(io, DIR), 0);
    return io;
}

static int setup(void **state)
{
    struct history *h = malloc(sizeof(*h));

    if (!h)
        return -1;
    history_init(h, new_disk(), 7);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct history *h = *state;
    struct pfs_io *io = h->io;

    memio_fail_at(io, 0, 0, false);
    history_release(h);
    io->ops->destroy(io);
    free(h);
    return 0;
}

/* Opening fails so, and the message has these words in it. */
static void refused(struct history *h, int err, const char *words)
{
    assert_int_equal(pfs_store_open(&h->config, &h->store), err);
    h->store = NULL;
    if (!strstr(pfs_err_message(), words))
        fail_msg("no \"%s\" in: %s", words, pfs_err_message());
}

/* --- disks that are full or fail -------------------------------------------------------------- */

/* Every call that a flush makes fails in its turn, once or from then on; the store goes on, or is
 * opened anew as after a kill, and nothing is lost. */
static void flush_fails(struct history *h, int error, bool lasting, bool killed)
{
    unsigned nth = 0;
    bool met;

    do {
        int err;

        history_commits(h, 12);
        assert_int_equal(pfs_store_sync(h->store, PFS_LSN_MAX), 0);
        memio_fail_at(h->io, ++nth, error, lasting);
        err = pfs_store_flush(h->store);
        met = memio_failed(h->io);
        memio_fail_at(h->io, 0, 0, false);
        if (!met)
            assert_int_equal(err, 0);
        else if (err)
            assert_int_equal(err, error);
        history_check_all(h, 1);
        if (killed) {
            history_abandon(h);
            history_open(h);
            history_check_all(h, 1);
        }
        history_commits(h, 3);
        assert_int_equal(pfs_store_flush(h->store), 0);
        history_check_all(h, 1);
    } while (met);
    assert_in_range(nth, 12, 60);
    history_abandon(h);
    history_open(h);
    history_check_all(h, 5);
}

static void test_pages_store__full_disk_in_a_flush(void **state)
{
    flush_fails(*state, PFS_ENOSPC, true, false);
}

static void test_pages_store__failing_disk_in_a_flush(void **state)
{
    flush_fails(*state, PFS_EIO, false, false);
}

static void test_pages_store__killed_in_a_flush(void **state)
{
    flush_fails(*state, PFS_EIO, true, true);
}

/* As far as recovery comes before the disk fails, the next one still finds all. */
static void test_pages_store__failing_disk_in_recovery(void **state)
{
    struct history *h = *state;
    unsigned nth = 0;
    int err;

    history_commits(h, 60);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_commits(h, 60);
    history_abandon(h);
    do {
        memio_fail_at(h->io, ++nth, PFS_EIO, true);
        err = pfs_store_open(&h->config, &h->store);
        assert_int_equal(err, memio_failed(h->io) ? PFS_EIO : 0);
        memio_fail_at(h->io, 0, 0, false);
    } while (err);
    assert_in_range(nth, 15, 300);
    history_check_all(h, 5);
}

/* No space for a record: it is as if it had not been asked for, and the next one goes. */
static void test_pages_store__full_disk_in_commits(void **state)
{
    struct history *h = *state;
    unsigned met = 0;

    history_close(h);
    h->config.flush_journal_bytes = 0; /* nothing is flushed: a sync without space is for good */
    history_open(h);
    for (unsigned i = 0; i < 200; i++) {
        int err;

        memio_fail_at(h->io, 1 + i % 7, PFS_ENOSPC, false);
        while ((err = history_commit(h)) == 0 && !memio_failed(h->io))
            ;
        if (err)
            assert_int_equal(err, PFS_ENOSPC);
        met += err != 0;
        memio_fail_at(h->io, 0, 0, false);
        history_commits(h, 1);
    }
    assert_in_range(met, 100, 200);
    history_check_all(h, 10);
    history_abandon(h);
    history_open(h);
    history_check_all(h, 10);
}

static void test_pages_store__failed_sync_ends_writing(void **state)
{
    struct history *h = *state;
    struct pfs_store_stats stats;

    history_commits(h, 5);
    memio_fail_at(h->io, 1, PFS_EIO, false);
    assert_int_equal(pfs_store_sync(h->store, PFS_LSN_MAX), PFS_EIO);
    assert_int_equal(history_commit(h), PFS_EIO);
    assert_int_equal(pfs_store_sync(h->store, PFS_LSN_MAX), PFS_EIO);
    assert_int_equal(pfs_store_flush(h->store), PFS_EIO);
    pfs_store_stats(h->store, &stats);
    assert_true(stats.poisoned);
    history_check_all(h, 2); /* but reading goes on */
    assert_int_equal(pfs_store_close(h->store), PFS_EIO);
    h->store = NULL;
    history_open(h);
    history_commits(h, 5);
    history_check_all(h, 2);
}

static void nap(void)
{
    struct timespec ts = {.tv_nsec = 1000000};

    nanosleep(&ts, NULL);
}

/* The upkeep thread finds no space for layers: writers wait, are told, and go on when there is. */
static void test_pages_store__service_returns_with_the_space(void **state)
{
    struct pfs_io *io = new_disk(), *gate = gateio_create(io);
    uint64_t until = pfs_mono_ns() + 20 * PFS_NS_PER_S;
    struct history h;
    size_t before;
    int err;

    (void)state;
    history_init(&h, gate, 3);
    history_close(&h);
    h.config.background = true;
    h.config.flush_journal_bytes = 4096;
    history_open(&h);
    gateio_refuse(gate, "/layers/", PFS_ENOSPC);
    while ((err = history_commit(&h)) == 0 && h.n < 2000)
        ;
    assert_int_equal(err, PFS_ENOSPC);
    before = h.n;
    assert_int_equal(history_commit(&h), PFS_ENOSPC);
    history_check_all(&h, 3);
    assert_int_equal(pfs_store_sync(h.store, PFS_LSN_MAX), 0); /* what was accepted can be kept */
    gateio_refuse(gate, NULL, 0);
    while ((err = history_commit(&h)) == PFS_ENOSPC && pfs_mono_ns() < until)
        nap();
    assert_int_equal(err, 0);
    history_commits(&h, 200);
    assert_in_range(h.n, before + 200, before + 1000);
    history_check_all(&h, 5);
    history_abandon(&h);
    history_open(&h);
    history_check_all(&h, 5);
    history_release(&h);
    gate->ops->destroy(gate);
    io->ops->destroy(io);
}

/* --- damage ----------------------------------------------------------------------------------- */

static char *layer_of(struct history *h, char name[256])
{
    size_t len;

    for (unsigned i = 1; i < 10; i++) {
        snprintf(name, 256, DIR "/layers/%016x.delta", i);
        if (memio_bytes(h->io, name, &len))
            return name;
    }
    return NULL;
}

static void test_pages_store__needs_its_manifest(void **state)
{
    struct history *h = *state;

    history_close(h);
    h->config.uuid[0] ^= 1;
    refused(h, PFS_ECORRUPT, "another volume");
    h->config.uuid[0] ^= 1;
    h->config.branch_id++;
    refused(h, PFS_ECORRUPT, "branch 1, not 2");
    h->config.branch_id--;
    assert_int_equal(h->io->ops->unlink(h->io, MANIFEST), 0);
    refused(h, PFS_ECORRUPT, MANIFEST " is missing");
}

static void test_pages_store__needs_its_layers(void **state)
{
    struct history *h = *state;
    char name[256];
    size_t len;

    history_commits(h, 20);
    assert_int_equal(pfs_store_flush(h->store), 0);
    history_close(h);
    assert_non_null(layer_of(h, name));
    memio_bytes(h->io, name, &len);
    memio_resize(h->io, name, len - 1);
    refused(h, PFS_ECORRUPT, name);
    assert_int_equal(h->io->ops->unlink(h->io, name), 0);
    refused(h, PFS_ECORRUPT, name);
}

/* After a clean end the manifest knows how far the journal went: a shorter one is no torn tail. */
static void test_pages_store__needs_all_of_its_journal(void **state)
{
    struct history *h = *state;
    char name[PFS_SEGMENT_NAME];
    unsigned char *bytes;
    size_t len;

    history_commits(h, 10);
    history_close(h);
    pfs_segment_name(name, DIR "/journal", PFS_LSN_FIRST);
    bytes = memio_bytes(h->io, name, &len);
    memset(bytes + PFS_SEGMENT_HEADER + 512, 0, len - PFS_SEGMENT_HEADER - 512);
    refused(h, PFS_ECORRUPT, "was durable up to");
    assert_int_equal(h->io->ops->unlink(h->io, name), 0);
    refused(h, PFS_ECORRUPT, "journal");
}

/* A torn tail is cut off at a whole record, and the next life goes on from there. */
static void test_pages_store__torn_tail_is_cut_off(void **state)
{
    struct history *h = *state;
    char name[PFS_SEGMENT_NAME];
    unsigned char *bytes;
    pfs_lsn cut;
    size_t len;

    history_commits(h, 12);
    history_abandon(h);
    pfs_segment_name(name, DIR "/journal", PFS_LSN_FIRST);
    bytes = memio_bytes(h->io, name, &len);
    cut = h->v[h->n / 2].lsn + 16;
    memset(bytes + PFS_SEGMENT_HEADER + (cut - PFS_LSN_FIRST), 0, 64);
    while (h->n > 0 && h->v[h->n - 1].lsn > cut)
        free(h->v[--h->n].bytes);
    history_open(h);
    history_check_all(h, 3);
    history_commits(h, 20);
    history_abandon(h);
    history_open(h);
    history_check_all(h, 5);
}

static void count_damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    (void)offset;
    assert_non_null(strstr(file, DIR "/"));
    assert_int_not_equal(text[0], '\0');
    ++*(unsigned *)ctx;
}

static void test_pages_store__page_damaged_in_the_journal(void **state)
{
    static unsigned char data[HISTORY_PAGE] = {1, 2, 3};
    struct history *h = *state;
    struct pfs_entry entry = {.key = pfs_key(PFS_KEY_PAGE, 1, 0),
                              .kind = PFS_KIND_VALUE,
                              .data = data,
                              .len = sizeof(data)};
    struct pfs_page_version version;
    char name[PFS_SEGMENT_NAME];
    unsigned char *bytes;
    unsigned damages = 0;
    pfs_lsn lsn;
    size_t len;

    assert_int_equal(pfs_store_commit(h->store, PFS_OP_WRITE, &entry, 1, &lsn), 0);
    assert_int_equal(pfs_store_verify(h->store, count_damage, &damages), 0);
    pfs_segment_name(name, DIR "/journal", PFS_LSN_FIRST);
    bytes = memio_bytes(h->io, name, &len);
    bytes[PFS_SEGMENT_HEADER + (lsn - PFS_LSN_FIRST) - 10] ^= 4;
    assert_int_equal(pfs_store_read_page(h->store, 1, 0, PFS_LSN_MAX, data, &version),
                     PFS_ECORRUPT);
    assert_non_null(strstr(pfs_err_message(), "inode 1 page 0"));
    assert_int_equal(pfs_store_verify(h->store, count_damage, &damages), PFS_ECORRUPT);
    assert_int_equal(damages, 1);
    assert_int_equal(pfs_store_flush(h->store), PFS_ECORRUPT); /* it is not sealed into a layer */
}

static void test_pages_store__verify_finds_damage_in_layers(void **state)
{
    struct history *h = *state;
    unsigned damages = 0;
    unsigned char *bytes;
    char name[256];
    size_t len;

    history_commits(h, 60);
    assert_int_equal(pfs_store_flush(h->store), 0);
    assert_int_equal(pfs_store_verify(h->store, count_damage, &damages), 0);
    assert_int_equal(damages, 0);
    bytes = memio_bytes(h->io, layer_of(h, name), &len);
    bytes[5000] ^= 1;
    assert_int_equal(pfs_store_verify(h->store, count_damage, &damages), PFS_ECORRUPT);
    assert_in_range(damages, 1, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_store__full_disk_in_a_flush),
        TEST(test_pages_store__failing_disk_in_a_flush),
        TEST(test_pages_store__killed_in_a_flush),
        TEST(test_pages_store__failing_disk_in_recovery),
        TEST(test_pages_store__full_disk_in_commits),
        TEST(test_pages_store__failed_sync_ends_writing),
        cmocka_unit_test(test_pages_store__service_returns_with_the_space),
        TEST(test_pages_store__needs_its_manifest),
        TEST(test_pages_store__needs_its_layers),
        TEST(test_pages_store__needs_all_of_its_journal),
        TEST(test_pages_store__torn_tail_is_cut_off),
        TEST(test_pages_store__page_damaged_in_the_journal),
        TEST(test_pages_store__verify_finds_damage_in_layers),
    };

    pfs_log_set_level(PFS_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
