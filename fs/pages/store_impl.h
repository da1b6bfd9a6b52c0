/* The inside of a store. Private to fs/pages/store*.c and scan.c.
 *
 * Lock order: flush_mu, commit_mu, view_mu; upkeep_mu is a leaf, as is stall_mu. No lock but
 * flush_mu is held across a sync; commit_mu is held across the write of one record.
 *
 * Invariants
 *   - A record is in the journal before its versions are in the active memtable, and all of them
 *     are there before head passes it: a reader that takes head first and the view second sees
 *     every record below head whole.
 *   - The memtables of a view cover (flushed, head] without gaps, its layers (0, flushed].
 *   - Journal below the start of the oldest memtable alive is read by nobody. */
#ifndef PFS_PAGES_STORE_IMPL_H
#define PFS_PAGES_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/pages/block_cache.h"
#include "fs/pages/manifest.h"
#include "fs/pages/store.h"
#include "fs/pages/view.h"
#include "wal/journal.h"

#define PFS_FROZEN_MAX 2 /* frozen memtables before writers must wait for the flush */

/* A memtable that waits to be flushed. */
struct pfs_frozen {
    struct pfs_source *memtable;
    pfs_lsn end;   /* of its last record */
    uint64_t prev; /* that record's checksum: what the journal goes on from */
};

struct pfs_store {
    struct pfs_store_config config;
    struct pfs_segment_id segment_id; /* of the journal */
    char *dir;
    char *journal_dir;
    char *layers_dir;
    struct pfs_io *io;
    struct pfs_block_cache *cache;
    struct pfs_journal *journal;

    pthread_mutex_t commit_mu;
    struct pfs_source *active; /* guarded by commit_mu: the memtable that takes the inserts */
    _Atomic pfs_lsn head;      /* written under commit_mu */
    uint64_t active_since_ns;  /* guarded by commit_mu */
    _Atomic uint64_t commits, payload_bytes, stalls;
    _Atomic uint64_t next_ino;

    pthread_mutex_t view_mu;
    struct pfs_view *view;     /* guarded by view_mu */
    struct pfs_frozen *frozen; /* guarded by view_mu: newest first */
    atomic_uint n_frozen;      /* written under view_mu */
    unsigned cap_frozen;

    pthread_mutex_t flush_mu;
    struct pfs_manifest manifest; /* guarded by flush_mu, n_layers also by view_mu */
    struct pfs_source **layers;   /* guarded by view_mu: newest first */
    unsigned n_layers;            /* guarded by view_mu */
    struct pfs_source **retired;  /* guarded by flush_mu: flushed memtables, oldest first, that
                                      * a reader may still hold (and its journal with them) */
    unsigned n_retired;
    _Atomic pfs_lsn flushed;
    _Atomic uint64_t flushes;

    pthread_mutex_t stall_mu;
    pthread_cond_t stall_over; /* a flush ended, well or badly */
    uint64_t flush_round;      /* guarded by stall_mu */
    int flush_error;           /* guarded by stall_mu: of the last flush */

    pthread_t upkeep;
    bool upkeep_runs;
    pthread_mutex_t upkeep_mu;
    pthread_cond_t upkeep_wake;
    bool upkeep_wanted, upkeep_stop; /* guarded by upkeep_mu */

    uint64_t recovered_records, recovery_ms;
};

/* The current view, referenced; end with pfs_view_put(). */
struct pfs_view *pfs_store_view(struct pfs_store *store);

/* What a reader at lsn may see: no more than what has been committed. Take before the view. */
pfs_lsn pfs_store_clamp(const struct pfs_store *store, pfs_lsn lsn);

/* Put the memtable aside for flushing and start a new one at head. Holds commit_mu. */
int pfs_store_freeze(struct pfs_store *store) PFS_MUST_USE;
/* The same, prev being the journal's chain at head: while there is no journal yet. */
int pfs_store_freeze_at(struct pfs_store *store, uint64_t prev) PFS_MUST_USE;
/* Replace the view by one of active, frozen, layers as they are now. Holds view_mu. */
int pfs_store_publish(struct pfs_store *store) PFS_MUST_USE;
bool pfs_store_memtable_full(const struct pfs_store *store);

/* Write the oldest frozen memtable to a layer; *more_out says if others are left. */
int pfs_store_flush_one(struct pfs_store *store, bool *more_out) PFS_MUST_USE;
/* Let go of journal that no memtable needs. */
int pfs_store_trim(struct pfs_store *store) PFS_MUST_USE;

/* Read the manifest, open the layers, replay the journal, open it for appending. */
int pfs_store_recover(struct pfs_store *store) PFS_MUST_USE;

/* The upkeep thread (store_upkeep.c); kick: there is something for it to do. */
int pfs_store_upkeep_start(struct pfs_store *store) PFS_MUST_USE;
void pfs_store_upkeep_stop(struct pfs_store *store);
void pfs_store_upkeep_kick(struct pfs_store *store);

/* Read and verify the payload of a memtable's version into buf (v->len bytes). */
int pfs_store_payload(struct pfs_store *store, const struct pfs_mem_version *v,
                      void *buf) PFS_MUST_USE;

#endif
