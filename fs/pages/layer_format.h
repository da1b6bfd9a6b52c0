/* The bytes of a layer file, version 1.
 *
 *     header | block 0 | block 1 | … | index | filter | footer
 *
 * The parts touch: there is no byte in the file that belongs to none of them. Numbers are
 * little-endian. Checksums are pfs_checksum(), 64 bits.
 *
 * Header, 64 bytes. For file(1) and for salvage; readers need only the footer, which says the same.
 *
 *     0   8  magic "pfslayer"
 *     8   4  version
 *    12   4  branch
 *    16  16  uuid of the volume
 *    32   8  lsn_from
 *    40   8  lsn_to
 *    48   8  zero
 *    56   8  checksum of bytes 0 to 55
 *
 * Block: its raw form, or that as one zstd frame, which is shorter. A block whose stored length in
 * the index equals its raw length is raw: the writer takes the frame only if it saves a sixteenth.
 * The raw form is entries, then the table by which they are searched:
 *
 *     entry 0 | entry 1 | … | offset of entry 0, 4 bytes | … | number of entries, 4 bytes
 *
 * Entries stand in the order of pfs_version_cmp() and touch; the first is at offset 0. A block is
 * as long as PFS_LAYER_BLOCK_TARGET or shorter, unless it is a single entry that alone is longer.
 *
 * Entry, 32 bytes and the data:
 *
 *     0   1  type of the key
 *     1   1  kind
 *     2   1  depth
 *     3   1  zero
 *     4   4  len, bytes of data
 *     8   8  a
 *    16   8  b
 *    24   8  lsn
 *    32 len  data
 *
 * Index, 48 bytes for each block. A block begins where the one before ends; the first begins after
 * the header.
 *
 *     0   1  type of the block's first entry
 *     1   7  zero
 *     8   8  a
 *    16   8  b
 *    24   8  lsn
 *    32   4  stored length
 *    36   4  raw length
 *    40   8  checksum of the stored bytes
 *
 * Filter: a split-block Bloom filter over the keys, see bloom.h. Empty if the layer is.
 *
 * Footer, 144 bytes, at the end of the file:
 *
 *     0   8  offset of the index
 *     8   8  length of the index
 *    16   8  checksum of the index
 *    24   8  offset of the filter
 *    32   8  length of the filter
 *    40   8  checksum of the filter
 *    48   8  number of entries
 *    56   8  bytes of entries, raw, without the offset tables
 *    64   8  number of keys in the filter
 *    72   8  lsn_from
 *    80   8  lsn_to
 *    88  16  uuid of the volume
 *   104   4  branch
 *   108   4  number of blocks
 *   112   8  zero
 *   120   8  checksum of bytes 0 to 119
 *   128   4  version
 *   132   4  the same with all bits inverted, so that a damaged version isn't taken for a newer one
 *   136   8  magic "pfslayer"
 *
 * Every later version keeps the last 16 bytes and the first 12.
 *
 * Valid is a layer whose checksums, lengths, zeros, order and LSN range (lsn_from < lsn <= lsn_to)
 * are right. The manifest holds the footer's checksum, the footer those of index and filter, the
 * index those of the blocks: a layer that agrees with the manifest is the very one it means, and
 * every byte that a reader uses has been checked on the way.
 *
 * Reader: read the footer, then index and filter, check them and keep them in memory: 48 bytes for
 * each block of 33 KiB and 12 bits for each key. To find (key, lsn): ask the filter; find by binary
 * search the last block whose first entry isn't after it; read that block, compare its checksum,
 * unpack it, check its entries once and keep it in the cache; find the entry by binary search in
 * the offset table. So a lookup is one read of one block, or none.
 *
 * Why blocks of 33 KiB: four 8 KiB pages with their headers. Larger ones compress little better and
 * make each page read unpack more; smaller ones make index and request rate grow. Why offsets in
 * the block: a block of metadata holds hundreds of entries. Why zstd at level 1: it packs faster
 * than a disk writes. Why checksums in the index and not in the block: then an old block in a new
 * place, or one of another file, is found out, not only flipped bits. */
#ifndef PFS_PAGES_LAYER_FORMAT_H
#define PFS_PAGES_LAYER_FORMAT_H

#include <stdint.h>

#include "base/bytes.h"
#include "fs/pages/layer.h"

#define PFS_LAYER_MAGIC   "pfslayer"
#define PFS_LAYER_VERSION 1

#define PFS_LAYER_HEADER_BYTES      64
#define PFS_LAYER_ENTRY_BYTES       32 /* without its data */
#define PFS_LAYER_INDEX_ENTRY_BYTES 48
#define PFS_LAYER_FOOTER_BYTES      144

#define PFS_LAYER_BLOCK_TARGET (33 * 1024)
#define PFS_LAYER_ZSTD_LEVEL   1

/* The largest value: a page of 64 KiB or an attribute of 64 KiB and its name, and room to grow. */
#define PFS_LAYER_VALUE_MAX (128 * 1024)
/* Raw blocks: one entry without data, its offset and the count; one entry with the most data. */
#define PFS_LAYER_RAW_MIN (PFS_LAYER_ENTRY_BYTES + 8)
#define PFS_LAYER_RAW_MAX (PFS_LAYER_RAW_MIN + PFS_LAYER_VALUE_MAX)
/* What an index (a million blocks, 40 GiB) and a filter (44 million keys) may take in memory. */
#define PFS_LAYER_INDEX_MAX  (64 * 1024 * 1024)
#define PFS_LAYER_FILTER_MAX (64 * 1024 * 1024)

/* Offsets in header, footer and index that more than one function uses. */
enum {
    PFS_LAYER_HEADER_CHECKSUM = 56,
    PFS_LAYER_FOOTER_CHECKSUM = 120,
    PFS_LAYER_FOOTER_TAIL = 128,
    PFS_LAYER_INDEX_STORED = 32,
    PFS_LAYER_INDEX_CHECKSUM = 40,
};

_Static_assert(sizeof(PFS_LAYER_MAGIC) - 1 == 8, "the magic has 8 bytes");
_Static_assert(PFS_LAYER_HEADER_CHECKSUM + 8 == PFS_LAYER_HEADER_BYTES, "checksum ends the header");
_Static_assert(PFS_LAYER_FOOTER_CHECKSUM + 8 == PFS_LAYER_FOOTER_TAIL, "checksum, then the tail");
_Static_assert(PFS_LAYER_FOOTER_TAIL + 16 == PFS_LAYER_FOOTER_BYTES, "the tail ends the footer");
_Static_assert(PFS_LAYER_INDEX_CHECKSUM + 8 == PFS_LAYER_INDEX_ENTRY_BYTES, "no gap in the index");
_Static_assert(PFS_LAYER_BLOCK_TARGET < PFS_LAYER_RAW_MAX, "the target is no limit");
_Static_assert(PFS_LAYER_RAW_MAX < 1 << 24, "lengths of blocks fit 24 bits in memory");

struct pfs_layer_footer {
    struct pfs_layer_info info;
    uint64_t index_offset;
    uint64_t index_len;
    uint64_t index_checksum;
    uint64_t filter_offset;
    uint64_t filter_len;
    uint64_t filter_checksum;
    uint64_t keys;
    uint32_t blocks;
};

/* uuid, branch and LSN range as a header. */
void pfs_layer_header_encode(const struct pfs_layer_info *info,
                             unsigned char out[PFS_LAYER_HEADER_BYTES]);

/* Does the header agree with what the footer says? Errors: PFS_ECORRUPT, PFS_EVERSION. */
int pfs_layer_header_check(const unsigned char in[PFS_LAYER_HEADER_BYTES], const char *name,
                           const struct pfs_layer_info *info) PFS_MUST_USE;

/* Also sets footer->info.checksum. */
void pfs_layer_footer_encode(struct pfs_layer_footer *footer,
                             unsigned char out[PFS_LAYER_FOOTER_BYTES]);

/* The footer of the file `name`, which has size bytes. All of its lengths are within the file and
 * within our limits, and make sense together. Errors: PFS_ECORRUPT, PFS_EVERSION. */
int pfs_layer_footer_decode(const unsigned char in[PFS_LAYER_FOOTER_BYTES], const char *name,
                            uint64_t size, struct pfs_layer_footer *out) PFS_MUST_USE;

/* The entry at p. Trusts its length: the block has been checked. data points behind the entry. */
static inline void pfs_layer_entry_decode(const unsigned char *p, struct pfs_version *out)
{
    out->key.type = p[0];
    out->kind = p[1];
    out->depth = p[2];
    out->len = pfs_get32(p + 4);
    out->key.a = pfs_get64(p + 8);
    out->key.b = pfs_get64(p + 16);
    out->lsn = pfs_get64(p + 24);
    out->data = p + PFS_LAYER_ENTRY_BYTES;
}

static inline void pfs_layer_entry_encode(const struct pfs_version *v,
                                          unsigned char p[PFS_LAYER_ENTRY_BYTES])
{
    p[0] = v->key.type;
    p[1] = v->kind;
    p[2] = v->depth;
    p[3] = 0;
    pfs_put32(p + 4, v->len);
    pfs_put64(p + 8, v->key.a);
    pfs_put64(p + 16, v->key.b);
    pfs_put64(p + 24, v->lsn);
}

#endif
