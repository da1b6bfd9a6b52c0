/* The store with its upkeep thread and several threads that write, sync and read at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "fs/pages/store.h"
#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"

#define WRITERS 3
#define READERS 2
#define ROUNDS  400
#define PAGE    512
#define BLOCKS  4

/* Each writer has a file and counts in it: a record says the count in the inode and in one page. At
 * any LSN the inode's count is that of the page written last, since records are atomic. */
struct shared {
    struct pfs_store *store;
    atomic_bool stop;
    _Atomic uint64_t durable[WRITERS + 1]; /* counts that a sync has covered */
    atomic_uint failed;
};

struct worker {
    pthread_t thread;
    struct shared *shared;
    uint64_t ino;
};

static void expect(struct shared *x, bool holds)
{
    if (!holds)
        x->failed++;
}

static void fill_page(unsigned char *page, uint64_t ino, uint64_t count)
{
    for (size_t i = 0; i < PAGE; i += 16) {
        pfs_put64(page + i, ino);
        pfs_put64(page + i + 8, count);
    }
}

static void *write_counts(void *arg)
{
    struct worker *me = arg;
    struct shared *x = me->shared;

    for (uint64_t count = 1; count <= ROUNDS; count++) {
        unsigned char page[PAGE], number[8];
        struct pfs_entry entries[2] = {
            {.key = pfs_key(PFS_KEY_INODE, me->ino, 0),
             .kind = PFS_KIND_VALUE,
             .len = 8,
             .data = number},
            {.key = pfs_key(PFS_KEY_PAGE, me->ino, count % BLOCKS),
             .kind = PFS_KIND_VALUE,
             .len = PAGE,
             .data = page},
        };
        pfs_lsn lsn = 0;

        fill_page(page, me->ino, count);
        pfs_put64(number, count);
        expect(x, pfs_store_commit(x->store, PFS_OP_WRITE, entries, 2, &lsn) == 0);
        if (count % 8 == 0) {
            expect(x, pfs_store_sync(x->store, lsn) == 0);
            expect(x, pfs_store_durable(x->store) >= lsn);
            x->durable[me->ino] = count;
        }
    }
    return NULL;
}

/* The count of a writer at lsn, checked against its pages. */
static uint64_t check_writer(struct shared *x, uint64_t ino, pfs_lsn lsn)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, ino, 0);
    struct pfs_page_version version;
    unsigned char page[PAGE], want[PAGE];
    struct pfs_buf value;
    uint64_t count = 0;
    int err;

    pfs_buf_init(&value, 4096);
    err = pfs_store_get(x->store, &key, lsn, &value, NULL);
    expect(x, err == 0 || err == PFS_ENOENT);
    if (!err)
        count = pfs_get64(value.data);
    pfs_buf_release(&value);
    for (uint64_t i = 0; i < BLOCKS && i < count; i++) {
        expect(x,
               pfs_store_read_page(x->store, ino, (count - i) % BLOCKS, lsn, page, &version) == 0);
        fill_page(want, ino, count - i);
        expect(x, memcmp(page, want, PAGE) == 0);
    }
    return count;
}

static void check_scan(struct shared *x, pfs_lsn lsn)
{
    struct pfs_key from = {0}, to = pfs_key(PFS_KEY_PAGE, UINT64_MAX, UINT64_MAX), last = {0};
    struct pfs_version v;
    struct pfs_scan *scan;
    int err;

    if (pfs_scan_begin(x->store, &from, &to, lsn, &scan)) {
        expect(x, false);
        return;
    }
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        expect(x, pfs_key_cmp(&last, &v.key) < 0 && v.lsn <= lsn);
        last = v.key;
    }
    expect(x, err == PFS_ENOENT);
    pfs_scan_end(scan);
}

static void *read_counts(void *arg)
{
    struct worker *me = arg;
    struct shared *x = me->shared;
    uint64_t random = me->ino, seen[WRITERS + 1] = {0};

    while (!x->stop) {
        pfs_lsn head = pfs_store_head(x->store);
        pfs_lsn past = head - model_random(&random) % (head - (UINT64_C(16) << 20) + 1);

        for (uint64_t ino = 1; ino <= WRITERS; ino++) {
            uint64_t count = check_writer(x, ino, head);

            expect(x, count >= seen[ino]);
            expect(x, check_writer(x, ino, past) <= count);
            seen[ino] = count;
        }
        check_scan(x, past);
    }
    return NULL;
}

static void test_pages_store__threads(void **state)
{
    struct pfs_io *io = memio_create();
    struct pfs_store_config config = {.io = io,
                                      .dir = "b",
                                      .branch_id = 1,
                                      .page_size = PAGE,
                                      .background = true,
                                      .flush_journal_bytes = 65536,
                                      .cache_bytes = 1 << 20,
                                      .segment_bytes = 16384};
    struct shared x = {0};
    struct worker workers[WRITERS + READERS];
    struct pfs_store_stats stats;

    (void)state;
    assert_int_equal(io->ops->mkdir(io, "b"), 0);
    assert_int_equal(pfs_store_create(&config), 0);
    assert_int_equal(pfs_store_open(&config, &x.store), 0);
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        workers[i] = (struct worker){.shared = &x, .ino = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        i < WRITERS ? write_counts : read_counts, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(workers[i].thread, NULL);
    x.stop = true;
    for (unsigned i = WRITERS; i < WRITERS + READERS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_int_equal(x.failed, 0);
    pfs_store_stats(x.store, &stats);
    assert_int_equal(stats.commits, WRITERS * ROUNDS);
    assert_in_range(stats.flushes, 3, 100);
    pfs_store_abandon(x.store);
    assert_int_equal(pfs_store_open(&config, &x.store), 0);
    for (uint64_t ino = 1; ino <= WRITERS; ino++)
        assert_int_equal(check_writer(&x, ino, PFS_LSN_MAX), ROUNDS);
    assert_int_equal(x.failed, 0);
    assert_int_equal(pfs_store_close(x.store), 0);
    io->ops->destroy(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_store__threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
