/* What the parts of the layer reader share. */
#ifndef PFS_PAGES_LAYER_IMPL_H
#define PFS_PAGES_LAYER_IMPL_H

#include "fs/pages/layer_format.h"

struct pfs_layer_index {
    uint64_t a, b; /* first version of the block */
    pfs_lsn lsn;
    uint64_t offset; /* in the file */
    uint64_t checksum;
    uint32_t type : 8;
    uint32_t stored_len : 24;
    uint32_t raw_len;
};
_Static_assert(sizeof(struct pfs_layer_index) == 48, "an index entry is small");

/* Immutable once open. */
struct pfs_layer {
    struct pfs_layer_footer footer;
    struct pfs_file *file;
    struct pfs_block_cache *cache; /* borrowed */
    uint64_t owner;                /* our number in the cache */
    struct pfs_layer_index *index; /* footer.blocks of them */
    unsigned char *filter;         /* footer.filter_len bytes, aligned to a cache line */
    char *name;
};

static inline struct pfs_key pfs_layer_index_key(const struct pfs_layer_index *e)
{
    return (struct pfs_key){.type = (uint8_t)e->type, .a = e->a, .b = e->b};
}

/* Number of entries in a raw block, and where its offset table starts. */
static inline uint32_t pfs_layer_block_count(const unsigned char *raw, uint32_t raw_len)
{
    return pfs_get32(raw + raw_len - 4);
}

static inline uint32_t pfs_layer_block_table(const unsigned char *raw, uint32_t raw_len)
{
    return raw_len - 4 - 4 * pfs_layer_block_count(raw, raw_len);
}

/* Read, check and unpack a block: a pfs_block_load whose ctx is the layer. After it every offset
 * and length in the block can be trusted. *data_out is the caller's, to free().
 * Errors: PFS_ECORRUPT, PFS_EIO, PFS_ENOMEM. */
int pfs_layer_load_block(void *ctx, uint32_t block_no, unsigned char **data_out,
                         uint32_t *len_out) PFS_MUST_USE;

/* Read a part of the layer that the footer has a checksum of. what names it in messages. */
int pfs_layer_read_part(struct pfs_layer *layer, const char *what, void *buf, uint64_t len,
                        uint64_t offset, uint64_t checksum) PFS_MUST_USE;

#endif
