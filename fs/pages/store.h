/* The versioned store of one branch: journal, memtables, layers, manifest behind one interface.
 *
 *   commit ──▶ journal ──▶ memtable (points into the journal) ──flush──▶ delta layers
 *   get, read_page, scan at any LSN ◀── memtable, frozen memtables, layers
 *
 * get(key, lsn) is a pure function of history: the newest version whose record ended at or below
 * lsn. PFS_LSN_MAX reads the head. */
#ifndef PFS_PAGES_STORE_H
#define PFS_PAGES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "fs/pages/version.h"
#include "wal/lsn.h"
#include "wal/record.h"

struct pfs_store;

struct pfs_store_config {
    struct pfs_io *io; /* borrowed */
    const char *dir;   /* the branch's directory below it: "branches/1" */
    uint8_t uuid[16];  /* of the volume */
    uint32_t branch_id;
    uint32_t page_size; /* bytes */
    bool readonly;      /* nothing is written: the journal is replayed in memory only */
    bool background;    /* flush and prepare segments in a thread; else only in pfs_store_flush() */
    size_t memtable_bytes;        /* index memory before a memtable is frozen (0: default 24 MiB) */
    uint64_t flush_journal_bytes; /* journal before it is frozen (0: default 256 MiB) */
    size_t cache_bytes;           /* decompressed blocks (0: default 32 MiB) */
    uint32_t segment_bytes;       /* of the journal: 0 but in tests, see wal/segment.h */
};

/* Make an empty branch in the (existing, empty) directory. Durable on return. */
int pfs_store_create(const struct pfs_store_config *config) PFS_MUST_USE;

/* Open and recover: replays only the journal past the last flush. Errors: PFS_ECORRUPT with the
 * file and offset when something that was durable is damaged or missing; PFS_EVERSION. */
int pfs_store_open(const struct pfs_store_config *config, struct pfs_store **out) PFS_MUST_USE;

/* Sync, note a clean end in the manifest, free. Returns the sync's error; frees in any case. */
int pfs_store_close(struct pfs_store *store);

/* Free without writing anything, as if the power went: for tests of recovery. */
void pfs_store_abandon(struct pfs_store *store);

/* As configured. */
uint32_t pfs_store_page_size(const struct pfs_store *store);
bool pfs_store_readonly(const struct pfs_store *store);

/* Journal one operation and make it visible. Atomic; not durable before a sync to *lsn_out.
 * Ownership: borrows the entries and their data for the call. Errors: PFS_ENOSPC (nothing was
 * changed, later calls may work), PFS_EIO (the journal is poisoned: all later calls fail),
 * PFS_EROFS, PFS_ENOMEM. Threads: any; takes the commit lock; may wait while flushing is far
 * behind. */
int pfs_store_commit(struct pfs_store *store, enum pfs_op op, const struct pfs_entry *entries,
                     unsigned n_entries, pfs_lsn *lsn_out) PFS_MUST_USE;

/* Return when everything below lsn is durable. One fdatasync serves all that wait. Errors: PFS_EIO
 * (for good: what was written since the last good sync may be lost). */
int pfs_store_sync(struct pfs_store *store, pfs_lsn lsn) PFS_MUST_USE;

pfs_lsn pfs_store_head(const struct pfs_store *store);    /* end of the last commit */
pfs_lsn pfs_store_durable(const struct pfs_store *store); /* all below is on disk */

/* Newest version of a key that isn't a page, at lsn. The value is put into `value` (cleared
 * first). *version_out (may be NULL) is its LSN. Errors: PFS_ENOENT; PFS_ECORRUPT, PFS_EIO. */
int pfs_store_get(struct pfs_store *store, const struct pfs_key *key, pfs_lsn lsn,
                  struct pfs_buf *value, pfs_lsn *version_out) PFS_MUST_USE;

/* What read_page found: for marks, deltas and SEEK_HOLE. A hole has lsn 0 or kind DELETE. */
struct pfs_page_version {
    pfs_lsn lsn;
    uint8_t kind;  /* of the newest version */
    uint8_t depth; /* deltas that were applied */
};

/* The page's bytes at lsn, page_size of them, into page (NULL: only *version_out, no data is
 * read). Holes and zeros read as zeros. Truncation marks are the tree's to apply. */
int pfs_store_read_page(struct pfs_store *store, uint64_t ino, uint64_t block, pfs_lsn lsn,
                        void *page, struct pfs_page_version *version_out) PFS_MUST_USE;

/* --- scans: the newest version at lsn of each key in [from, to], deletes left out ------------- */

struct pfs_scan;

/* Ownership: *out is the caller's, to end. It pins what it reads: keep it short. */
int pfs_scan_begin(struct pfs_store *store, const struct pfs_key *from, const struct pfs_key *to,
                   pfs_lsn lsn, struct pfs_scan **out) PFS_MUST_USE;
/* The next key, or PFS_ENOENT at the end. v->data (not of pages) is borrowed until the next
 * call. */
int pfs_scan_next(struct pfs_scan *scan, struct pfs_version *v) PFS_MUST_USE;
void pfs_scan_end(struct pfs_scan *scan);

/* --- upkeep ---------------------------------------------------------------------------------- */

/* Freeze the memtable and write everything frozen to layers, now, in this thread. */
int pfs_store_flush(struct pfs_store *store) PFS_MUST_USE;

struct pfs_store_stats {
    pfs_lsn head, durable, flushed; /* flushed: all below is in layers */
    pfs_lsn journal_start;          /* oldest byte kept */
    uint64_t journal_bytes, layer_bytes, layer_raw_bytes;
    uint64_t layers, memtables;
    uint64_t memtable_bytes, memtable_versions;
    uint64_t commits, syncs, syncs_shared, flushes, stalls;
    uint64_t payload_bytes; /* given to commit */
    uint64_t cache_hits, cache_misses, cache_bytes;
    uint64_t next_ino;
    uint64_t recovered_records, recovery_ms;
    uint64_t disk_free, disk_total;
    bool poisoned;
};
void pfs_store_stats(struct pfs_store *store, struct pfs_store_stats *out);

/* A number that no inode of the branch ever had. */
uint64_t pfs_store_new_ino(struct pfs_store *store);

/* Verify every layer and the journal past the flush; each damage is reported. */
typedef void pfs_store_damage_cb(void *ctx, const char *file, uint64_t offset, const char *text);
int pfs_store_verify(struct pfs_store *store, pfs_store_damage_cb *cb, void *ctx) PFS_MUST_USE;

#endif
