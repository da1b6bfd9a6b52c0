/* A journal on a disk in memory, and what was put into it: for tests of the writer and the reader.
 * Failures are cmocka's. */
#ifndef PFS_TESTS_LIB_WAL_FIXTURE_H
#define PFS_TESTS_LIB_WAL_FIXTURE_H

#include "tests/lib/memio.h"
#include "wal/journal.h"
#include "wal/reader.h"

#define WAL_DIR         "journal"
#define WAL_RECORDS_MAX 512

/* A record that was appended; what is in it follows from the first three. */
struct wal_record {
    uint64_t seed;
    uint32_t max_payload; /* of all its entries */
    uint32_t exact;       /* not 0: it has one entry, of that many bytes */
    pfs_lsn from;         /* end of the journal before; a pad may stand between that and lsn */
    pfs_lsn lsn, end;
    pfs_lsn durable; /* what it says of it */
};

struct wal {
    struct pfs_io *io;
    struct pfs_segment_id id;
    struct pfs_journal *journal; /* NULL: closed */
    struct wal_record records[WAL_RECORDS_MAX];
    unsigned n;
};

/* An empty journal of segments of that size, open. */
void wal_init(struct wal *w, uint32_t segment_size);
void wal_release(struct wal *w);

/* Close it, nothing is synced; open it to go on behind the first n_records. */
void wal_close(struct wal *w);
void wal_open(struct wal *w, unsigned n_records);

/* Append the record that follows from the seed; it is noted if it succeeds. About max_payload bytes
 * at most. */
int wal_append(struct wal *w, uint64_t seed, uint32_t max_payload) PFS_MUST_USE;
/* The same, and it must succeed. */
void wal_add(struct wal *w, uint64_t seed, uint32_t max_payload);
/* A record with one entry of exactly len bytes. */
void wal_add_len(struct wal *w, uint64_t seed, uint32_t len);

/* Read from record `from` (0: the start) to where it ends, comparing with what was noted. Returns
 * the error that ended it; *n_out is how many were good. */
int wal_read(struct wal *w, unsigned from, unsigned *n_out, struct pfs_reader **reader_out);

/* As wal_read, the reader's verdict on the tail instead of PFS_ETORN. */
int wal_verdict(struct wal *w, unsigned from, unsigned *n_out);

/* The byte of the segment file that lsn stands in. */
unsigned char *wal_byte(struct wal *w, pfs_lsn lsn);

/* How many segments there are. */
unsigned wal_count_segments(struct wal *w);

#endif
