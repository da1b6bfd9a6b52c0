/* The upkeep thread: flushes what is frozen, lets go of journal, has segments ready, and bounds by
 * time what is only in memory or not yet synced. Nobody's fsync waits for it. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/pages/store_impl.h"

#define TICK_NS        PFS_NS_PER_S
#define SYNC_EVERY_NS  (5 * PFS_NS_PER_S)   /* as ext4's commit=5 */
#define FLUSH_EVERY_NS (600 * PFS_NS_PER_S) /* a memtable gets no older */

void pfs_store_upkeep_kick(struct pfs_store *s)
{
    pthread_mutex_lock(&s->upkeep_mu);
    s->upkeep_wanted = true;
    pthread_cond_signal(&s->upkeep_wake);
    pthread_mutex_unlock(&s->upkeep_mu);
}

/* Wait for a kick or the next tick. False: time to stop. */
static bool wait_for_work(struct pfs_store *s)
{
    uint64_t until = pfs_mono_ns() + TICK_NS;
    struct timespec ts = {.tv_sec = (time_t)(until / PFS_NS_PER_S),
                          .tv_nsec = (long)(until % PFS_NS_PER_S)};
    bool stop;

    pthread_mutex_lock(&s->upkeep_mu);
    while (!s->upkeep_wanted && !s->upkeep_stop)
        if (pthread_cond_timedwait(&s->upkeep_wake, &s->upkeep_mu, &ts) == ETIMEDOUT)
            break;
    s->upkeep_wanted = false;
    stop = s->upkeep_stop;
    pthread_mutex_unlock(&s->upkeep_mu);
    return !stop;
}

static void prepare_segments(struct pfs_store *s)
{
    bool more = true;

    while (more)
        if (pfs_journal_prepare(s->journal, &more) != 0)
            return; /* the writer that needs the segment will say why there is none */
}

static void freeze_by_age(struct pfs_store *s)
{
    int err = 0;

    pthread_mutex_lock(&s->commit_mu);
    if (s->n_frozen == 0 && pfs_mono_ns() - s->active_since_ns > FLUSH_EVERY_NS)
        err = pfs_store_freeze(s);
    pthread_mutex_unlock(&s->commit_mu);
    if (err)
        pfs_log_warn("pages", "cannot freeze the memtable: %s", pfs_err_message());
}

static void *upkeep(void *arg)
{
    struct pfs_store *s = arg;
    uint64_t synced_ns = pfs_mono_ns();
    int last_error = 0;

    do {
        bool more = true;

        prepare_segments(s);
        freeze_by_age(s);
        while (more && s->n_frozen > 0) {
            int err = pfs_store_flush_one(s, &more);

            if (err && err != last_error)
                pfs_log_error("pages", "%s: cannot flush, writers will have to wait: %s", s->dir,
                              pfs_err_message());
            if (!err && last_error)
                pfs_log_info("pages", "%s: flushing works again", s->dir);
            last_error = err;
            if (err)
                break;
            prepare_segments(s);
        }
        if (pfs_store_trim(s))
            pfs_log_warn("pages", "cannot trim the journal: %s", pfs_err_message());
        if (pfs_mono_ns() - synced_ns > SYNC_EVERY_NS) {
            synced_ns = pfs_mono_ns();
            if (!pfs_journal_poisoned(s->journal))
                (void)!pfs_journal_sync(s->journal, s->head); /* a failure poisons and logs */
        }
    } while (wait_for_work(s));
    return NULL;
}

int pfs_store_upkeep_start(struct pfs_store *s)
{
    int errnum = pthread_create(&s->upkeep, NULL, upkeep, s);

    if (errnum)
        return pfs_fail_errno(errnum, "cannot start a thread");
    s->upkeep_runs = true;
    return 0;
}

void pfs_store_upkeep_stop(struct pfs_store *s)
{
    if (!s->upkeep_runs)
        return;
    pthread_mutex_lock(&s->upkeep_mu);
    s->upkeep_stop = true;
    pthread_cond_signal(&s->upkeep_wake);
    pthread_mutex_unlock(&s->upkeep_mu);
    pthread_join(s->upkeep, NULL);
    s->upkeep_runs = false;
}
