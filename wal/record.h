/* A journal record: one file operation, atomic and checksummed. All numbers little-endian.
 *
 *   header, 48 bytes
 *   off size  field
 *     0    8  checksum   XXH3-64 of bytes 8 to the end of the entry table
 *     8    8  lsn        of byte 0 of this record: a record is only valid where it was written
 *    16    8  durable    the writer knew everything below this LSN to be on disk
 *    24    8  time_ns    wall clock
 *    32    8  prev       checksum of the record before: ties a record to its history, so that what
 *                        an older life of the journal left behind the end is never taken for more
 *    40    4  len        of the whole record, a multiple of 8
 *    44    1  version    of this format: 1
 *    45    1  op         enum pfs_op
 *    46    2  n_entries
 *
 *   entry table, 32 bytes each
 *     0    1  kind       enum pfs_kind
 *     1    1  type       of the key
 *     2    1  depth      of a page version
 *     3    1  zero
 *     4    4  len        bytes of payload
 *     8    8  a          of the key
 *    16    8  b          of the key
 *    24    8  checksum   XXH3-64 of the payload
 *
 *   payloads, in the order of the table, each padded with zeros to a multiple of 8.
 *
 * The header's checksum covers the payloads' checksums, so a record is valid as a whole or not at
 * all; and a page can be read and verified by its own checksum without reading the whole record.
 * `durable` tells a torn tail from damage: behind a bad record at L, a good one that says durable >
 * L proves that what is bad had been acknowledged. */
#ifndef PFS_WAL_RECORD_H
#define PFS_WAL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wal/key.h"
#include "wal/lsn.h"

#define PFS_RECORD_VERSION     1
#define PFS_RECORD_HEADER      48
#define PFS_RECORD_ENTRY       32
#define PFS_RECORD_MAX         (UINT32_C(2) << 20) /* bytes of a record */
#define PFS_RECORD_ENTRIES_MAX 32768

/* What the operation was: for people and `pagefs log`; replay only needs the entries. */
enum pfs_op {
    PFS_OP_PAD = 0, /* fills the rest of a segment; no entries */
    PFS_OP_WRITE = 1,
    PFS_OP_CREATE = 2,
    PFS_OP_MKDIR = 3,
    PFS_OP_SYMLINK = 4,
    PFS_OP_MKNOD = 5,
    PFS_OP_LINK = 6,
    PFS_OP_UNLINK = 7,
    PFS_OP_RMDIR = 8,
    PFS_OP_RENAME = 9,
    PFS_OP_SETATTR = 10,
    PFS_OP_TRUNCATE = 11,
    PFS_OP_FALLOCATE = 12,
    PFS_OP_SETXATTR = 13,
    PFS_OP_REMOVEXATTR = 14,
    PFS_OP_TIMES = 15, /* times that were only in memory */
    PFS_OP_REAP = 16,  /* an unlinked file's last user is gone */
    PFS_OP_FORMAT = 17,
    PFS_OP_LIMIT = 18,
};

const char *pfs_op_name(unsigned op); /* "write"; "?" if unknown */

struct pfs_entry {
    struct pfs_key key;
    uint8_t kind; /* enum pfs_kind */
    uint8_t depth;
    uint32_t len;      /* bytes of data */
    const void *data;  /* borrowed */
    uint64_t checksum; /* of data; set by encode and decode */
    pfs_lsn pos;       /* where data stands in the journal; set by encode and decode */
};

struct pfs_record {
    pfs_lsn lsn; /* of its first byte */
    pfs_lsn durable;
    uint64_t time_ns;
    uint64_t prev;
    uint64_t checksum;
    uint32_t len;
    uint8_t op;
    uint16_t n_entries;
};

/* Length of a record with these entries, or 0 if it would exceed a limit. */
uint32_t pfs_record_len(const struct pfs_entry *entries, unsigned n_entries);

/* The payload checksums of the entries: done before the commit lock is taken. */
void pfs_record_seal_payloads(struct pfs_entry *entries, unsigned n_entries);

/* Write header and entry table into buf (PFS_RECORD_HEADER + n * PFS_RECORD_ENTRY bytes) and set
 * each entry's pos. rec: lsn, durable, time_ns, prev, op are given; checksum, len, n_entries are
 * set. The payload checksums must have been set. */
void pfs_record_encode(struct pfs_record *rec, struct pfs_entry *entries, unsigned n_entries,
                       void *buf);

/* Decode the header of the record that should stand at `lsn`. Needs PFS_RECORD_HEADER bytes.
 * Checks all that a header alone can show; its checksum is checked by pfs_record_decode().
 * Errors: PFS_ETORN: nothing valid here. */
int pfs_record_decode_header(const void *buf, pfs_lsn lsn, struct pfs_record *rec) PFS_MUST_USE;

/* Verify the whole record in buf (rec->len bytes; header already decoded into rec) and decode its
 * entries, whose data then point into buf. entries holds rec->n_entries. Errors: PFS_ETORN. */
int pfs_record_decode(const void *buf, const struct pfs_record *rec,
                      struct pfs_entry *entries) PFS_MUST_USE;

#endif
