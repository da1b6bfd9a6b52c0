/* Many threads on one store, with the upkeep thread at work, until the power goes.
 *
 * Writers stamp pages with a number that grows, and sync now and then; readers look at the pages
 * meanwhile; one thread flushes. While it lasts: no page is ever torn, a read never sees less than
 * what had been written before it began, the head never falls, and what an LSN once showed it shows
 * again. Afterwards: of each writer exactly its first writes are there, at least those that a sync
 * had covered.
 *
 * Threads run as they like, so a seed does not replay. SIM_SECONDS (default 10), SEED_BASE. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fs/tree/tree.h"
#include "tests/sim/simclock.h"
#include "tests/sim/simdisk.h"
#include "tests/sim/simdisk_impl.h"

#define WRITERS 4
#define READERS 2
#define BLOCKS  12
#define PAGE    8192
#define WRITES  4000 /* of a writer, at most */

struct writer {
    struct shared *sh;
    int index;
    uint64_t ino;
    struct pfs_handle *handle;
    uint8_t block[WRITES + 1];        /* of each write */
    _Atomic uint64_t seen[BLOCKS];    /* write that is certainly in this block */
    _Atomic uint64_t started, synced; /* numbers of writes */
};

struct shared {
    struct pfs_io *io;
    struct pfs_store_config config;
    struct pfs_store *store;
    struct pfs_tree *tree;
    struct writer writers[WRITERS];
    uint64_t seed;
    atomic_bool stop;
};

static void fail(const struct shared *sh, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void fail(const struct shared *sh, const char *fmt, ...)
{
    va_list ap;

    printf("# seed %" PRIu64 ": ", sh->seed);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\nnot ok 1 - threads and power cuts\n1..1\n");
    fflush(stdout);
    _exit(1);
}

static bool over(const struct shared *sh)
{
    return sh->stop || simdisk_is_off(sh->io);
}

/* An error is the power's, or a failure. */
static bool went_well(const struct shared *sh, const char *what, int err)
{
    if (err && !simdisk_is_off(sh->io))
        fail(sh, "%s: %s: %s", what, pfs_err_name(err), pfs_err_message());
    return !err;
}

/* --- pages ------------------------------------------------------------------------------------ */

static void stamp(unsigned char *page, int writer, uint64_t number)
{
    for (size_t i = 0; i < PAGE; i += 16) {
        memcpy(page + i, &number, 8);
        memset(page + i + 8, writer + 1, 8);
    }
}

/* The number that the page bears; 0: it was never written. */
static uint64_t stamped(const struct shared *sh, const unsigned char *page, int writer,
                        const char *when)
{
    unsigned char wanted[PAGE] = {0};
    uint64_t number;

    memcpy(&number, page, 8);
    if (number)
        stamp(wanted, writer, number);
    if (memcmp(page, wanted, PAGE) != 0)
        fail(sh, "%s: a page of writer %d is torn or foreign", when, writer);
    return number;
}

static void *write_pages(void *arg)
{
    struct writer *w = arg;
    struct shared *sh = w->sh;
    struct rng rng = rng_make(sh->seed * 100 + (uint64_t)w->index);
    unsigned char page[PAGE];

    for (uint64_t n = 1; n <= WRITES && !over(sh); n++) {
        int block = (int)rng_below(&rng, BLOCKS);

        w->block[n] = (uint8_t)block;
        w->started = n;
        stamp(page, w->index, n);
        if (!went_well(
                sh, "write",
                pfs_file_write(sh->tree, w->handle, page, PAGE, (uint64_t)block * PAGE, false)))
            break;
        w->seen[block] = n;
        if (rng_one_in(&rng, 4)) {
            if (!went_well(sh, "sync", pfs_file_sync(sh->tree, w->handle, rng_one_in(&rng, 2))))
                break;
            w->synced = n;
        }
    }
    return NULL;
}

static void read_once(struct shared *sh, struct rng *rng)
{
    struct writer *w = &sh->writers[rng_below(rng, WRITERS)];
    uint64_t block = rng_below(rng, BLOCKS), before = w->seen[block], number;
    unsigned char page[PAGE] = {0};
    size_t len;

    if (!went_well(sh, "read", pfs_file_read(sh->tree, w->handle, page, PAGE, block * PAGE, &len)))
        return;
    number = stamped(sh, page, w->index, "while it ran");
    if (number < before || number > w->started)
        fail(sh,
             "writer %d, block %" PRIu64 ": read %" PRIu64 " after %" PRIu64 " had been written",
             w->index, block, number, before);
}

/* A page at an LSN, now and again later. */
static void read_history(struct shared *sh, struct rng *rng)
{
    struct writer *w = &sh->writers[rng_below(rng, WRITERS)];
    uint64_t block = rng_below(rng, BLOCKS);
    pfs_lsn lsn = pfs_store_head(sh->store);
    unsigned char first[PAGE], again[PAGE];
    struct pfs_page_version v1, v2;

    if (!went_well(sh, "get", pfs_store_read_page(sh->store, w->ino, block, lsn, first, &v1)))
        return;
    (void)stamped(sh, first, w->index, "at an LSN");
    for (int i = 0; i < 20; i++)
        read_once(sh, rng);
    if (!went_well(sh, "get", pfs_store_read_page(sh->store, w->ino, block, lsn, again, &v2)))
        return;
    if (v1.lsn != v2.lsn || memcmp(first, again, PAGE) != 0)
        fail(sh, "writer %d, block %" PRIu64 " at LSN %s was of %s and is of %s", w->index, block,
             pfs_lsn_print(lsn).s, pfs_lsn_print(v1.lsn).s, pfs_lsn_print(v2.lsn).s);
}

static void *read_pages(void *arg)
{
    struct shared *sh = arg;
    struct rng rng = rng_make(sh->seed * 100 + 99);
    pfs_lsn head = 0;

    while (!over(sh)) {
        pfs_lsn now = pfs_store_head(sh->store);

        if (now < head || pfs_store_durable(sh->store) > pfs_store_head(sh->store))
            fail(sh, "the head fell from %s to %s", pfs_lsn_print(head).s, pfs_lsn_print(now).s);
        head = now;
        if (rng_one_in(&rng, 10))
            read_history(sh, &rng);
        else
            read_once(sh, &rng);
    }
    return NULL;
}

static void *flush_layers(void *arg)
{
    struct shared *sh = arg;

    while (!over(sh)) {
        (void)went_well(sh, "flush", pfs_store_flush(sh->store));
        usleep(3000);
    }
    return NULL;
}

/* --- lives ------------------------------------------------------------------------------------ */

static void open_all(struct shared *sh)
{
    struct pfs_tree_config config = {.branch_id = 1, .name_seed = 7};
    const struct pfs_cred cred = {0};
    char name[16];

    if (pfs_store_open(&sh->config, &sh->store))
        fail(sh, "open: %s", pfs_err_message());
    config.store = sh->store;
    if (pfs_tree_open(&config, &sh->tree))
        fail(sh, "open the tree: %s", pfs_err_message());
    for (int i = 0; i < WRITERS; i++) {
        struct writer *w = &sh->writers[i];
        struct pfs_attr attr;

        snprintf(name, sizeof(name), "file %d", i);
        if (pfs_tree_create(sh->tree, PFS_ROOT_INO, name, 0600, O_RDWR, &cred, &attr, &w->handle))
            fail(sh, "create: %s", pfs_err_message());
        w->ino = attr.ino;
    }
    if (pfs_store_sync(sh->store, PFS_LSN_MAX))
        fail(sh, "sync: %s", pfs_err_message());
}

static void close_all(struct shared *sh)
{
    for (int i = 0; i < WRITERS; i++)
        pfs_tree_release(sh->tree, sh->writers[i].handle);
    pfs_tree_close(sh->tree);
    pfs_store_abandon(sh->store);
}

static void run(struct shared *sh, struct rng *rng)
{
    pthread_t threads[WRITERS + READERS + 1];
    int n = 0;

    sh->stop = false;
    for (int i = 0; i < WRITERS; i++) {
        struct writer *w = &sh->writers[i];

        w->started = w->synced = 0;
        for (int b = 0; b < BLOCKS; b++)
            w->seen[b] = 0;
        pthread_create(&threads[n++], NULL, write_pages, w);
    }
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[n++], NULL, read_pages, sh);
    pthread_create(&threads[n++], NULL, flush_layers, sh);
    usleep(1000 + (useconds_t)rng_below(rng, 60000));
    simdisk_power_off(sh->io);
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

/* Of each writer exactly its first writes, the last of which is K. */
static void check_writer(struct shared *sh, struct writer *w)
{
    uint64_t found[BLOCKS], wanted[BLOCKS] = {0}, last = 0;
    unsigned char page[PAGE];
    size_t len;

    for (uint64_t b = 0; b < BLOCKS; b++) {
        memset(page, 0, sizeof(page));
        if (pfs_file_read(sh->tree, w->handle, page, PAGE, b * PAGE, &len))
            fail(sh, "read after the power cut: %s", pfs_err_message());
        found[b] = stamped(sh, page, w->index, "after the power cut");
        last = found[b] > last ? found[b] : last;
    }
    if (last < w->synced || last > w->started)
        fail(sh,
             "writer %d: its last write is %" PRIu64 ", %" PRIu64 " was synced, %" PRIu64 " begun",
             w->index, last, w->synced, w->started);
    for (uint64_t n = 1; n <= last; n++)
        wanted[w->block[n]] = n;
    if (memcmp(found, wanted, sizeof(found)) != 0)
        fail(sh, "writer %d: not just its first %" PRIu64 " writes are there", w->index, last);
}

/* The next life's numbers begin at one again, on holes. */
static void empty_files(struct shared *sh)
{
    struct pfs_attr in = {.size = 0}, out;

    for (int i = 0; i < WRITERS; i++)
        if (pfs_tree_setattr(sh->tree, sh->writers[i].ino, PFS_SET_SIZE, &in, &out))
            fail(sh, "truncate: %s", pfs_err_message());
    if (pfs_store_sync(sh->store, PFS_LSN_MAX))
        fail(sh, "sync: %s", pfs_err_message());
}

static void run_seed(uint64_t seed)
{
    struct shared *sh = sim_need(calloc(1, sizeof(*sh)));
    struct rng rng = rng_make(seed);

    sh->seed = seed;
    sh->io = simdisk_create(seed, SIMDISK_HONEST);
    sh->config = (struct pfs_store_config){.io = sh->io,
                                           .dir = "branch",
                                           .branch_id = 1,
                                           .page_size = PAGE,
                                           .background = true,
                                           .memtable_bytes = (size_t)1 << 20,
                                           .flush_journal_bytes = UINT64_C(1) << 19,
                                           .cache_bytes = (size_t)1 << 18,
                                           .segment_bytes = UINT32_C(1) << 18};
    if (sh->io->ops->mkdir(sh->io, "branch") || pfs_store_create(&sh->config) ||
        sh->io->ops->sync_dir(sh->io, "."))
        fail(sh, "make: %s", pfs_err_message());
    for (int i = 0; i < WRITERS; i++)
        sh->writers[i] = (struct writer){.sh = sh, .index = i};
    open_all(sh);
    for (int life = 0; life < 4; life++) {
        run(sh, &rng);
        close_all(sh);
        simdisk_power_on(sh->io, rng_one_in(&rng, 4) ? SIMDISK_KILL : SIMDISK_POWER);
        open_all(sh);
        for (int i = 0; i < WRITERS; i++)
            check_writer(sh, &sh->writers[i]);
        empty_files(sh);
    }
    simdisk_power_off(sh->io);
    close_all(sh);
    sh->io->ops->destroy(sh->io);
    free(sh);
}

int main(void)
{
    const char *base = getenv("SEED_BASE"), *seconds = getenv("SIM_SECONDS");
    uint64_t seed = base ? strtoull(base, NULL, 10) : 1, first = seed;
    uint64_t budget = (seconds ? strtoull(seconds, NULL, 10) : 10) * UINT64_C(1000000000);
    uint64_t started = simclock_real();

    pfs_log_set_level((enum pfs_log_level) - 1);
    simclock_set(simclock_real()); /* the upkeep thread waits by the real clock */
    do
        run_seed(seed++);
    while (simclock_real() - started < budget);
    printf("# %" PRIu64 " seeds\nok 1 - threads and power cuts\n1..1\n", seed - first);
    return 0;
}
