/* Shards, each a mutex, a hash table with chains and a list.
 *
 * A block is in the table from its loading until it is freed. It is in the list, newest first,
 * exactly while nobody has it pinned; only such a block may be freed. The table doesn't grow: it
 * is sized for blocks of half the usual length, and each block is charged for its own structure,
 * so chains stay short even if blocks are tiny. */
#include "fs/pages/block_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/checksum.h"

#define SHARDS       8
#define BLOCK_USUAL  (16 * 1024)
#define BLOCK_CHARGE (sizeof(struct pfs_block) + 2 * sizeof(void *)) /* with malloc's own */

struct shard {
    pthread_mutex_t mu;
    struct pfs_block **table; /* guarded by mu; so are all below */
    struct pfs_block lru;     /* head of the ring: lru_next is the newest, lru_prev the oldest */
    size_t bytes;
    size_t pinned;
    uint64_t hits, misses;
} __attribute__((aligned(64)));

struct pfs_block_cache {
    struct shard shards[SHARDS];
    size_t shard_max;
    size_t mask; /* table size - 1, a power of two less one */
    atomic_uint_fast64_t next_owner;
};

static uint64_t block_hash(uint64_t owner, uint32_t block_no)
{
    /* The finalizer of SplitMix64: the table takes the low bits, the shards the high ones. */
    uint64_t h = owner * UINT64_C(0x9e3779b97f4a7c15) + block_no;

    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static struct shard *shard_of(struct pfs_block_cache *cache, uint64_t hash)
{
    return &cache->shards[hash >> 61];
}

static size_t charge(const struct pfs_block *block)
{
    return block->len + BLOCK_CHARGE;
}

static void lru_remove(struct pfs_block *block)
{
    block->lru_prev->lru_next = block->lru_next;
    block->lru_next->lru_prev = block->lru_prev;
    block->lru_prev = block->lru_next = NULL;
}

static void lru_insert(struct shard *shard, struct pfs_block *block)
{
    block->lru_prev = &shard->lru;
    block->lru_next = shard->lru.lru_next;
    block->lru_next->lru_prev = block;
    shard->lru.lru_next = block;
}

static struct pfs_block **table_find(struct pfs_block_cache *cache, struct shard *shard,
                                     uint64_t hash, uint64_t owner, uint32_t block_no)
{
    struct pfs_block **at = &shard->table[hash & cache->mask];

    while (*at && ((*at)->owner != owner || (*at)->block_no != block_no))
        at = &(*at)->hash_next;
    return at;
}

static void pin(struct shard *shard, struct pfs_block *block)
{
    if (block->pins++ == 0) {
        lru_remove(block);
        shard->pinned++;
    }
}

static void free_chain(struct pfs_block *block)
{
    while (block) {
        struct pfs_block *next = block->hash_next;

        free(block->data);
        free(block);
        block = next;
    }
}

/* Take the oldest blocks out until the shard is within its bound; they are returned as a chain, to
 * be freed when the lock is no longer held. */
static struct pfs_block *evict(struct pfs_block_cache *cache, struct shard *shard)
{
    struct pfs_block *out = NULL;

    while (shard->bytes > cache->shard_max && shard->lru.lru_prev != &shard->lru) {
        struct pfs_block *block = shard->lru.lru_prev;
        struct pfs_block **at = table_find(cache, shard, block_hash(block->owner, block->block_no),
                                           block->owner, block->block_no);

        assert(*at == block && block->pins == 0);
        *at = block->hash_next;
        lru_remove(block);
        shard->bytes -= charge(block);
        block->hash_next = out;
        out = block;
    }
    return out;
}

int pfs_block_cache_create(size_t max_bytes, struct pfs_block_cache **out)
{
    struct pfs_block_cache *cache = aligned_alloc(64, sizeof(*cache));
    size_t buckets = 64;

    if (!cache)
        return pfs_fail(PFS_ENOMEM, "out of memory for the block cache");
    cache->shard_max = max_bytes / SHARDS;
    while (buckets < cache->shard_max / BLOCK_USUAL)
        buckets *= 2;
    cache->mask = buckets - 1;
    atomic_init(&cache->next_owner, 1);
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];

        shard->table = calloc(buckets, sizeof(*shard->table));
        if (!shard->table) {
            while (i-- > 0) {
                free(cache->shards[i].table);
                pthread_mutex_destroy(&cache->shards[i].mu);
            }
            free(cache);
            return pfs_fail(PFS_ENOMEM, "out of memory for the block cache");
        }
        pthread_mutex_init(&shard->mu, NULL);
        shard->lru.lru_prev = shard->lru.lru_next = &shard->lru;
        shard->bytes = shard->pinned = 0;
        shard->hits = shard->misses = 0;
    }
    *out = cache;
    return 0;
}

void pfs_block_cache_destroy(struct pfs_block_cache *cache)
{
    if (!cache)
        return;
    cache->shard_max = 0;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];

        assert(shard->pinned == 0);
        free_chain(evict(cache, shard));
        assert(shard->bytes == 0);
        free(shard->table);
        pthread_mutex_destroy(&shard->mu);
    }
    free(cache);
}

uint64_t pfs_block_cache_owner(struct pfs_block_cache *cache)
{
    return atomic_fetch_add(&cache->next_owner, 1);
}

/* Load a block that wasn't here. Somebody else may have done so meanwhile: then theirs is taken. */
static int load_missing(struct pfs_block_cache *cache, uint64_t owner, uint32_t block_no,
                        pfs_block_load *load, void *ctx, struct pfs_block **out)
{
    uint64_t hash = block_hash(owner, block_no);
    struct shard *shard = shard_of(cache, hash);
    struct pfs_block *block = calloc(1, sizeof(*block));
    struct pfs_block **at, *old;
    int err;

    if (!block)
        return pfs_fail(PFS_ENOMEM, "out of memory for a cached block");
    block->owner = owner;
    block->block_no = block_no;
    err = load(ctx, block_no, &block->data, &block->len);
    if (err) {
        free(block);
        return err;
    }
    pthread_mutex_lock(&shard->mu);
    at = table_find(cache, shard, hash, owner, block_no);
    if (*at) {
        pin(shard, *at);
        *out = *at;
        old = block;
    } else {
        *at = block;
        block->pins = 1;
        shard->pinned++;
        shard->bytes += charge(block);
        *out = block;
        old = evict(cache, shard);
    }
    pthread_mutex_unlock(&shard->mu);
    free_chain(old);
    return 0;
}

int pfs_block_cache_get(struct pfs_block_cache *cache, uint64_t owner, uint32_t block_no,
                        pfs_block_load *load, void *ctx, struct pfs_block **out)
{
    uint64_t hash = block_hash(owner, block_no);
    struct shard *shard = shard_of(cache, hash);
    struct pfs_block *block;

    pthread_mutex_lock(&shard->mu);
    block = *table_find(cache, shard, hash, owner, block_no);
    if (block) {
        pin(shard, block);
        shard->hits++;
    } else {
        shard->misses++;
    }
    pthread_mutex_unlock(&shard->mu);
    if (!block)
        return load_missing(cache, owner, block_no, load, ctx, out);
    *out = block;
    return 0;
}

void pfs_block_cache_put(struct pfs_block_cache *cache, struct pfs_block *block)
{
    struct shard *shard = shard_of(cache, block_hash(block->owner, block->block_no));
    struct pfs_block *old = NULL;

    pthread_mutex_lock(&shard->mu);
    assert(block->pins > 0);
    if (--block->pins == 0) {
        shard->pinned--;
        lru_insert(shard, block);
        old = evict(cache, shard);
    }
    pthread_mutex_unlock(&shard->mu);
    free_chain(old);
}

void pfs_block_cache_drop(struct pfs_block_cache *cache, uint64_t owner)
{
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        struct pfs_block *old = NULL;

        pthread_mutex_lock(&shard->mu);
        for (size_t b = 0; b <= cache->mask; b++) {
            struct pfs_block **at = &shard->table[b];

            while (*at) {
                struct pfs_block *block = *at;

                if (block->owner != owner) {
                    at = &block->hash_next;
                    continue;
                }
                assert(block->pins == 0);
                *at = block->hash_next;
                lru_remove(block);
                shard->bytes -= charge(block);
                block->hash_next = old;
                old = block;
            }
        }
        pthread_mutex_unlock(&shard->mu);
        free_chain(old);
    }
}

void pfs_block_cache_stats(struct pfs_block_cache *cache, struct pfs_block_cache_stats *out)
{
    *out = (struct pfs_block_cache_stats){0};
    for (int i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];

        pthread_mutex_lock(&shard->mu);
        out->hits += shard->hits;
        out->misses += shard->misses;
        out->bytes += shard->bytes;
        pthread_mutex_unlock(&shard->mu);
    }
}
