/* Decompressed layer blocks in bounded memory, least recently used first out. */
#ifndef PFS_PAGES_BLOCK_CACHE_H
#define PFS_PAGES_BLOCK_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pfs_block_cache;

struct pfs_block {
    uint64_t owner; /* the layer's number in this process, never reused */
    uint32_t block_no;
    uint32_t len; /* bytes of data */
    unsigned char *data;
    /* the rest is the cache's */
    uint32_t pins; /* guarded by the shard's mu */
    struct pfs_block *hash_next;
    struct pfs_block *lru_prev, *lru_next;
};

struct pfs_block_cache_stats {
    uint64_t hits, misses, bytes;
};

/* Loads one block: mallocs *data_out (the cache frees it). */
typedef int pfs_block_load(void *ctx, uint32_t block_no, unsigned char **data_out,
                           uint32_t *len_out);

/* A cache of at most max_bytes (pinned blocks may exceed it for as long as they are pinned). */
int pfs_block_cache_create(size_t max_bytes, struct pfs_block_cache **out) PFS_MUST_USE;
void pfs_block_cache_destroy(struct pfs_block_cache *cache); /* asserts that nothing is pinned */

/* A number for a new owner. */
uint64_t pfs_block_cache_owner(struct pfs_block_cache *cache);

/* The block, pinned; load() is called, without any lock held, if it is not here. Two threads may
 * load the same block at once; the second copy is thrown away. Errors: those of load. */
int pfs_block_cache_get(struct pfs_block_cache *cache, uint64_t owner, uint32_t block_no,
                        pfs_block_load *load, void *ctx, struct pfs_block **out) PFS_MUST_USE;
void pfs_block_cache_put(struct pfs_block_cache *cache, struct pfs_block *block);

/* Forget the blocks of an owner; none may be pinned. */
void pfs_block_cache_drop(struct pfs_block_cache *cache, uint64_t owner);

/* Sums over all shards, each consistent in itself. */
void pfs_block_cache_stats(struct pfs_block_cache *cache, struct pfs_block_cache_stats *out);

#endif
