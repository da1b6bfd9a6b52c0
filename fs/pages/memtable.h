/* A memtable: the index of a stretch of the journal, in order of (key, newest first).
 *
 * A skip list in an arena: one writer (under the store's commit lock) and any number of readers
 * without a lock; nodes never change once linked and go all at once. Small values are kept here;
 * what pages hold stays in the journal, at `pos`.
 * Source: W. Pugh, "Skip Lists", 1990; LevelDB's use of one writer with release stores. */
#ifndef PFS_PAGES_MEMTABLE_H
#define PFS_PAGES_MEMTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wal/record.h"

struct pfs_memtable;

/* A version as the memtable keeps it. */
struct pfs_mem_version {
    struct pfs_key key;
    pfs_lsn lsn; /* end of its record */
    uint64_t checksum;
    pfs_lsn pos;      /* of the payload in the journal */
    const void *data; /* the payload if it is kept here, else NULL */
    uint32_t len;
    uint8_t kind;
    uint8_t depth;
};

/* An empty one, for records that end past start. Errors: PFS_ENOMEM. */
int pfs_memtable_create(pfs_lsn start, struct pfs_memtable **out) PFS_MUST_USE;
void pfs_memtable_destroy(struct pfs_memtable *mt);

/* Make room for what inserting these entries takes, so that the inserts can't fail. */
int pfs_memtable_reserve(struct pfs_memtable *mt, const struct pfs_entry *entries,
                         unsigned n_entries) PFS_MUST_USE;
/* Add a version; (key, lsn) must be new. Needs a reserve before. Threads: one writer. */
void pfs_memtable_insert(struct pfs_memtable *mt, const struct pfs_entry *entry, pfs_lsn lsn);

/* The first version at or after (key, lsn), or NULL. Valid as long as the memtable. */
const struct pfs_mem_version *pfs_memtable_seek(const struct pfs_memtable *mt,
                                                const struct pfs_key *key, pfs_lsn lsn);
const struct pfs_mem_version *pfs_memtable_next(const struct pfs_mem_version *v);

pfs_lsn pfs_memtable_start(const struct pfs_memtable *mt); /* all versions are past it */
size_t pfs_memtable_bytes(const struct pfs_memtable *mt);
uint64_t pfs_memtable_count(const struct pfs_memtable *mt);

#endif
