/* Reading a journal record by record: recovery, `pagefs journal dump`, `pagefs check`. */
#ifndef PFS_WAL_READER_H
#define PFS_WAL_READER_H

#include "base/err.h"
#include "base/io.h"
#include "wal/record.h"
#include "wal/segment.h"

struct pfs_reader;

/* Start at lsn, which must be the start of a record (or of a segment). prev is the checksum of the
 * record before, 0 if not known. Errors: PFS_ENOENT the segment isn't there; PFS_ECORRUPT,
 * PFS_EVERSION, PFS_EIO. */
int pfs_reader_create(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                      pfs_lsn lsn, uint64_t prev, struct pfs_reader **out) PFS_MUST_USE;
void pfs_reader_destroy(struct pfs_reader *reader);

/* The next record; pads are passed over. *entries_out (rec->n_entries of them) and the data they
 * point to are borrowed until the next call. Errors: PFS_ETORN no valid record follows the last
 * one (the message says where and why); PFS_ECORRUPT, PFS_EVERSION (a segment's header), PFS_EIO.
 *  */
int pfs_reader_next(struct pfs_reader *reader, struct pfs_record *rec,
                    struct pfs_entry **entries_out) PFS_MUST_USE;

/* Where the next record would stand; the checksum of the last record read. */
pfs_lsn pfs_reader_position(const struct pfs_reader *reader);
uint64_t pfs_reader_prev(const struct pfs_reader *reader);

/* After PFS_ETORN: is this the torn tail of a crash, or was something durable damaged? Looks
 * through all that stands behind for a record that proves the latter. Returns 0 for a tail, or
 * PFS_ECORRUPT with file and offset of what is damaged. */
int pfs_reader_check_tail(struct pfs_reader *reader) PFS_MUST_USE;

#endif
