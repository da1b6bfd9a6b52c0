#include "fs/pages/memtable.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/version.h"

#define MAX_HEIGHT 14 /* 4^14 versions before searches get longer */
#define CHUNK      ((size_t)256 << 10)

struct node {
    struct pfs_mem_version v; /* first: a version is its node */
    _Atomic(struct node *) next[];
};

struct chunk {
    struct chunk *older;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

struct pfs_memtable {
    pfs_lsn start;
    struct chunk *chunks; /* the writer's */
    _Atomic size_t bytes;
    _Atomic uint64_t count;
    atomic_int height;
    uint32_t seed; /* the writer's */
    struct node *head;
};

static size_t node_size(int height)
{
    return sizeof(struct node) + (size_t)height * sizeof(_Atomic(struct node *));
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static int grow(struct pfs_memtable *mt, size_t size)
{
    struct chunk *chunk;

    if (size < CHUNK)
        size = CHUNK;
    chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return pfs_fail(PFS_ENOMEM, "out of memory for the memtable");
    chunk->older = mt->chunks;
    chunk->size = size;
    chunk->used = 0;
    mt->chunks = chunk;
    mt->bytes += sizeof(*chunk) + size;
    return 0;
}

static void *take(struct pfs_memtable *mt, size_t size)
{
    struct chunk *chunk = mt->chunks;
    void *at = chunk->data + chunk->used;

    size = aligned(size);
    assert(size <= chunk->size - chunk->used);
    chunk->used += size;
    return at;
}

int pfs_memtable_create(pfs_lsn start, struct pfs_memtable **out)
{
    struct pfs_memtable *mt = calloc(1, sizeof(*mt));

    if (!mt)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    mt->start = start;
    mt->seed = 0x9E3779B9u;
    mt->height = 1;
    if (grow(mt, CHUNK)) {
        free(mt);
        return PFS_ENOMEM;
    }
    mt->head = take(mt, node_size(MAX_HEIGHT));
    memset(mt->head, 0, node_size(MAX_HEIGHT));
    *out = mt;
    return 0;
}

void pfs_memtable_destroy(struct pfs_memtable *mt)
{
    for (struct chunk *chunk = mt->chunks, *older; chunk; chunk = older) {
        older = chunk->older;
        free(chunk);
    }
    free(mt);
}

static bool kept_here(const struct pfs_entry *entry)
{
    return entry->key.type != PFS_KEY_PAGE;
}

int pfs_memtable_reserve(struct pfs_memtable *mt, const struct pfs_entry *entries,
                         unsigned n_entries)
{
    size_t size = 0;

    for (unsigned i = 0; i < n_entries; i++) {
        size += aligned(node_size(MAX_HEIGHT));
        if (kept_here(&entries[i]))
            size += aligned(entries[i].len);
    }
    if (size <= mt->chunks->size - mt->chunks->used)
        return 0;
    return grow(mt, size);
}

static int random_height(struct pfs_memtable *mt)
{
    int height = 1;

    mt->seed ^= mt->seed << 13; /* xorshift32 */
    mt->seed ^= mt->seed >> 17;
    mt->seed ^= mt->seed << 5;
    for (uint32_t bits = mt->seed; (bits & 3) == 0 && height < MAX_HEIGHT; bits >>= 2)
        height++;
    return height;
}

static struct node *next_of(const struct node *n, int level)
{
    return atomic_load_explicit(&n->next[level], memory_order_acquire);
}

/* The first node at or after (key, lsn); prev, if given, gets the node before it at each level. */
static struct node *search(const struct pfs_memtable *mt, const struct pfs_key *key, pfs_lsn lsn,
                           struct node **prev)
{
    struct node *at = mt->head, *next;

    for (int level = mt->height - 1;; level--) {
        while ((next = next_of(at, level)) != NULL &&
               pfs_version_cmp(&next->v.key, next->v.lsn, key, lsn) < 0)
            at = next;
        if (prev)
            prev[level] = at;
        if (level == 0)
            return next;
    }
}

void pfs_memtable_insert(struct pfs_memtable *mt, const struct pfs_entry *entry, pfs_lsn lsn)
{
    int height = random_height(mt), old_height = mt->height;
    struct node *prev[MAX_HEIGHT];
    struct node *n = take(mt, node_size(height));
    const struct node *after;

    n->v = (struct pfs_mem_version){.key = entry->key,
                                    .lsn = lsn,
                                    .checksum = entry->checksum,
                                    .pos = entry->pos,
                                    .len = entry->len,
                                    .kind = entry->kind,
                                    .depth = entry->depth};
    if (kept_here(entry)) {
        void *data = take(mt, entry->len);

        if (entry->len)
            memcpy(data, entry->data, entry->len);
        n->v.data = data;
    }
    after = search(mt, &entry->key, lsn, prev);
    assert(!after || pfs_version_cmp(&after->v.key, after->v.lsn, &entry->key, lsn) != 0);
    for (int level = old_height; level < height; level++)
        prev[level] = mt->head;
    if (height > old_height)
        mt->height = height;
    for (int level = 0; level < height; level++) {
        atomic_store_explicit(&n->next[level], next_of(prev[level], level), memory_order_relaxed);
        atomic_store_explicit(&prev[level]->next[level], n, memory_order_release);
    }
    mt->count++;
}

const struct pfs_mem_version *pfs_memtable_seek(const struct pfs_memtable *mt,
                                                const struct pfs_key *key, pfs_lsn lsn)
{
    struct node *n = search(mt, key, lsn, NULL);

    return n ? &n->v : NULL;
}

const struct pfs_mem_version *pfs_memtable_next(const struct pfs_mem_version *v)
{
    const struct node *n = next_of((const struct node *)(const void *)v, 0);

    return n ? &n->v : NULL;
}

pfs_lsn pfs_memtable_start(const struct pfs_memtable *mt)
{
    return mt->start;
}

size_t pfs_memtable_bytes(const struct pfs_memtable *mt)
{
    return mt->bytes;
}

uint64_t pfs_memtable_count(const struct pfs_memtable *mt)
{
    return mt->count;
}
