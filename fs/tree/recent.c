#include "fs/tree/recent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/delta.h"

#define STRIPES 64

struct slot {
    uint64_t epoch, block; /* epoch 0: empty */
    uint8_t depth;
};

struct pfs_recent {
    uint32_t page_size;
    size_t n; /* a power of two */
    struct slot *slots;
    unsigned char *pages;
    pthread_mutex_t stripes[STRIPES];
};

int pfs_recent_create(size_t bytes, uint32_t page_size, struct pfs_recent **out)
{
    struct pfs_recent *r = calloc(1, sizeof(*r));

    if (!r)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    r->page_size = page_size;
    r->n = STRIPES;
    while (r->n * 2 * page_size <= bytes)
        r->n *= 2;
    r->slots = calloc(r->n, sizeof(*r->slots));
    r->pages = malloc(r->n * page_size);
    for (unsigned i = 0; i < STRIPES; i++)
        pthread_mutex_init(&r->stripes[i], NULL);
    if (!r->slots || !r->pages) {
        pfs_recent_destroy(r);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    *out = r;
    return 0;
}

void pfs_recent_destroy(struct pfs_recent *r)
{
    for (unsigned i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&r->stripes[i]);
    free(r->slots);
    free(r->pages);
    free(r);
}

/* The slot's number, its stripe locked. */
static size_t lock_slot(struct pfs_recent *r, uint64_t epoch, uint64_t block)
{
    uint64_t h = (epoch * UINT64_C(0x9E3779B97F4A7C15)) ^ (block * UINT64_C(0xC2B2AE3D27D4EB4F));
    size_t i = (h ^ h >> 32) & (r->n - 1);

    pthread_mutex_lock(&r->stripes[i % STRIPES]);
    return i;
}

static void unlock_slot(struct pfs_recent *r, size_t i)
{
    pthread_mutex_unlock(&r->stripes[i % STRIPES]);
}

size_t pfs_recent_replace(struct pfs_recent *r, uint64_t epoch, uint64_t block,
                          const void *new_page, bool keep, void *delta, size_t cap, uint8_t *depth)
{
    size_t i = lock_slot(r, epoch, block), len = 0;
    struct slot *slot = &r->slots[i];
    unsigned char *page = r->pages + i * r->page_size;
    bool here = slot->epoch == epoch && slot->block == block;

    *depth = 0;
    if (here && slot->depth < PFS_DELTA_DEPTH_MAX)
        len = pfs_delta_encode(page, new_page, r->page_size, delta, cap);
    if (len > 0)
        *depth = (uint8_t)(slot->depth + 1);
    if (here || keep) {
        memcpy(page, new_page, r->page_size);
        *slot = (struct slot){.epoch = epoch, .block = block, .depth = *depth};
    }
    unlock_slot(r, i);
    return len;
}

bool pfs_recent_get(struct pfs_recent *r, uint64_t epoch, uint64_t block, void *page,
                    uint8_t *depth)
{
    size_t i = lock_slot(r, epoch, block);
    const struct slot *slot = &r->slots[i];
    bool here = slot->epoch == epoch && slot->block == block;

    if (here) {
        memcpy(page, r->pages + i * r->page_size, r->page_size);
        *depth = slot->depth;
    }
    unlock_slot(r, i);
    return here;
}

void pfs_recent_put(struct pfs_recent *r, uint64_t epoch, uint64_t block, const void *page,
                    uint8_t depth)
{
    size_t i = lock_slot(r, epoch, block);

    memcpy(r->pages + i * r->page_size, page, r->page_size);
    r->slots[i] = (struct slot){.epoch = epoch, .block = block, .depth = depth};
    unlock_slot(r, i);
}
