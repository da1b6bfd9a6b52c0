/* The journal: the writer's end, and the home of the newest data.
 *
 * append() puts a record into the operating system's hands at the position that becomes its LSN;
 * sync() makes everything below an LSN durable. The thread that wants a sync does it, unless one is
 * under way: then it waits for that one, and for the next if it came too late for it (group commit
 * without a hand-over to a flusher thread).
 *
 * Poison: after a failed sync or a failed write of record bytes nobody knows what is on disk (the
 * kernel drops failed pages and reports success the next time), so every later append and sync
 * fails with PFS_EIO until the journal is opened, and recovered, anew.
 *
 * Invariants: durable <= end; both only grow; a byte below durable never changes.
 * Lock order: caller's commit lock, then sync_mu, then seg_mu; none is held across a sync. */
#ifndef PFS_WAL_JOURNAL_H
#define PFS_WAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "wal/record.h"
#include "wal/segment.h"

struct pfs_journal;

/* Start an empty journal in the existing directory: its first segment, durable on return. */
int pfs_journal_create(struct pfs_io *io, const char *dir,
                       const struct pfs_segment_id *id) PFS_MUST_USE;

struct pfs_journal_open {
    struct pfs_io *io; /* borrowed */
    const char *dir;
    struct pfs_segment_id id;
    pfs_lsn start;   /* segments wholly below are not needed any more */
    pfs_lsn end;     /* of the valid records, as recovery has found it */
    uint64_t prev;   /* checksum of the last of them; 0: there is none */
    pfs_lsn durable; /* of it, what is known to have been synced once */
    bool readonly;   /* only pread works */
};

/* Open for appending at `end`. Everything below it is made durable first. */
int pfs_journal_open(const struct pfs_journal_open *how, struct pfs_journal **out) PFS_MUST_USE;
void pfs_journal_close(struct pfs_journal *journal); /* doesn't sync */

/* Append one record. *end_out is the LSN behind it; entries' pos are set. The payloads must have
 * been sealed (pfs_record_seal_payloads).
 * Errors: PFS_ENOSPC nothing changed; PFS_EIO poisoned. Threads: one appender at a time. */
int pfs_journal_append(struct pfs_journal *journal, enum pfs_op op, struct pfs_entry *entries,
                       unsigned n_entries, pfs_lsn *end_out) PFS_MUST_USE;

/* Return once all below lsn is durable. Errors: PFS_EIO. Threads: any. */
int pfs_journal_sync(struct pfs_journal *journal, pfs_lsn lsn) PFS_MUST_USE;

/* Nudge the kernel to write back what was appended since the last nudge, if that is a lot: keeps
 * the next sync short. Threads: any; cheap. */
void pfs_journal_writeback(struct pfs_journal *journal);

/* Behind the last record; below what all is on disk; whether it failed for good. Threads: any. */
pfs_lsn pfs_journal_end(const struct pfs_journal *journal);
pfs_lsn pfs_journal_durable(const struct pfs_journal *journal);
bool pfs_journal_poisoned(const struct pfs_journal *journal);
/* Checksum of the last record. Threads: the appender's. */
uint64_t pfs_journal_prev(const struct pfs_journal *journal);

/* Read payload bytes at a position below end (within one record). Errors: PFS_EIO, PFS_ECORRUPT.
 * Threads: any. The caller verifies the payload's checksum, which names pos in its message. */
int pfs_journal_pread(struct pfs_journal *journal, void *buf, size_t len, pfs_lsn pos) PFS_MUST_USE;

/* Segments wholly below lsn are no longer read by anyone: keep some for reuse, delete the rest. */
int pfs_journal_trim(struct pfs_journal *journal, pfs_lsn lsn) PFS_MUST_USE;

/* Have the next segments ready (named, written full of old bytes or zeros, synced), so that appends
 * neither wait for one nor pay for unwritten extents. Called by the upkeep thread; one at a time.
 * True in *wanted_out: there is more to do, call again. */
int pfs_journal_prepare(struct pfs_journal *journal, bool *wanted_out) PFS_MUST_USE;

struct pfs_journal_stats {
    pfs_lsn start, end, durable;
    uint64_t bytes; /* on disk, spare segments included */
    uint64_t syncs, syncs_shared;
};
void pfs_journal_stats(struct pfs_journal *journal, struct pfs_journal_stats *out);

#endif
