#include "tests/sim/simdisk_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WRITTEN_BACK 4 /* one in: a sector reaches the disk before it is overwritten */

void *sim_need(void *p)
{
    if (!p)
        abort();
    return p;
}

struct sim_node *sim_node_create(bool dir)
{
    struct sim_node *node = sim_need(calloc(1, sizeof(*node)));

    node->refs = 1;
    node->dir = dir;
    return node;
}

void sim_node_put(struct sim_node *node)
{
    assert(node->refs > 0);
    if (--node->refs > 0)
        return;
    for (size_t i = 0; i < node->n_pages; i++) {
        free(node->pages[i].now);
        free(node->pages[i].disk);
    }
    free(node->pages);
    free(node);
}

void sim_node_read(const struct sim_node *node, void *buf, size_t len, uint64_t off)
{
    unsigned char *out = buf;

    while (len > 0) {
        size_t in_page = off % SIM_PAGE, part = SIM_PAGE - in_page;
        const unsigned char *from =
            off / SIM_PAGE < node->n_pages ? node->pages[off / SIM_PAGE].now : NULL;

        part = part < len ? part : len;
        if (from)
            memcpy(out, from + in_page, part);
        else
            memset(out, 0, part);
        out += part;
        off += part;
        len -= part;
    }
}

void sim_node_extend(struct sim_node *node, uint64_t size)
{
    size_t n = (size_t)((size + SIM_PAGE - 1) / SIM_PAGE);

    if (n > node->n_pages) {
        node->pages = sim_need(realloc(node->pages, n * sizeof(*node->pages)));
        memset(node->pages + node->n_pages, 0, (n - node->n_pages) * sizeof(*node->pages));
        node->n_pages = n;
    }
    if (size > node->size)
        node->size = size;
}

/* Sector s is about to change. */
static void make_dirty(struct sim_page *page, struct rng *rng, unsigned s)
{
    uint8_t bit = (uint8_t)(1u << s);

    if (!(page->dirty & bit) || rng_one_in(rng, WRITTEN_BACK)) {
        if (!(page->doomed & bit)) /* of a doomed one the disk's bytes are there already */
            memcpy(page->disk + s * SIM_SECTOR, page->now + s * SIM_SECTOR, SIM_SECTOR);
    }
    page->dirty |= bit;
    page->doomed &= (uint8_t)~bit;
}

static void write_in_page(struct sim_page *page, struct rng *rng, const unsigned char *buf,
                          size_t in_page, size_t len)
{
    if (!page->now) {
        page->now = sim_need(calloc(1, SIM_PAGE));
        page->disk = sim_need(calloc(1, SIM_PAGE));
    }
    for (size_t s = in_page / SIM_SECTOR; s <= (in_page + len - 1) / SIM_SECTOR; s++)
        make_dirty(page, rng, (unsigned)s);
    memcpy(page->now + in_page, buf, len);
}

void sim_node_write(struct sim_node *node, struct rng *rng, const void *buf, size_t len,
                    uint64_t off)
{
    const unsigned char *in = buf;

    sim_node_extend(node, off + len);
    while (len > 0) {
        size_t in_page = off % SIM_PAGE, part = SIM_PAGE - in_page;

        part = part < len ? part : len;
        write_in_page(&node->pages[off / SIM_PAGE], rng, in, in_page, part);
        in += part;
        off += part;
        len -= part;
    }
}

/* Go on with what the disk has. */
static void revert(struct sim_page *page, unsigned s)
{
    memcpy(page->now + s * SIM_SECTOR, page->disk + s * SIM_SECTOR, SIM_SECTOR);
}

void sim_node_sync(struct sim_node *node, struct rng *rng, bool with_size, bool skip)
{
    for (size_t i = 0; i < node->n_pages; i++) {
        struct sim_page *page = &node->pages[i];
        uint8_t left = 0;

        if (skip && page->dirty) {
            unsigned s = (unsigned)rng_below(rng, SIM_SECTORS);

            left = page->dirty & (uint8_t)(1u << s);
            skip = left == 0;
        }
        page->doomed |= left;
        page->dirty = 0;
    }
    if (with_size)
        node->disk_size = node->size;
}

void sim_node_fail_sync(struct sim_node *node, struct rng *rng)
{
    unsigned evicts = (unsigned)rng_below(rng, 3); /* none, half, all pages leave the cache */

    for (size_t i = 0; i < node->n_pages; i++) {
        struct sim_page *page = &node->pages[i];

        page->doomed |= page->dirty;
        page->dirty = 0;
        if (evicts == 0 || (evicts == 1 && rng_one_in(rng, 2)))
            continue;
        for (unsigned s = 0; s < SIM_SECTORS; s++)
            if (page->doomed & 1u << s)
                revert(page, s);
        page->doomed = 0;
    }
}

/* What is past the end reads as zeros when the file gets longer again. */
static void cut_size(struct sim_node *node)
{
    size_t n = (size_t)((node->size + SIM_PAGE - 1) / SIM_PAGE);

    for (size_t i = n; i < node->n_pages; i++) {
        free(node->pages[i].now);
        free(node->pages[i].disk);
    }
    node->n_pages = n < node->n_pages ? n : node->n_pages;
    if (node->size % SIM_PAGE && n == node->n_pages && node->pages[n - 1].now)
        memset(node->pages[n - 1].now + node->size % SIM_PAGE, 0, SIM_PAGE - node->size % SIM_PAGE);
}

void sim_node_cut(struct sim_node *node, struct rng *rng, unsigned keep)
{
    for (size_t i = 0; i < node->n_pages; i++) {
        struct sim_page *page = &node->pages[i];

        for (unsigned s = 0; s < SIM_SECTORS && (page->dirty | page->doomed); s++)
            if ((page->doomed & 1u << s) || ((page->dirty & 1u << s) && rng_below(rng, 16) >= keep))
                revert(page, s);
        page->dirty = page->doomed = 0;
    }
    if (node->size != node->disk_size && rng_below(rng, 16) >= keep) {
        node->size = node->disk_size;
        cut_size(node);
    }
    node->disk_size = node->size;
}

void sim_node_tear(struct sim_node *node, struct rng *rng)
{
    struct sim_page *page;
    unsigned s = (unsigned)rng_below(rng, SIM_SECTORS);

    if (node->n_pages == 0)
        return;
    page = &node->pages[rng_below(rng, node->n_pages)];
    if (page->now && !((page->dirty | page->doomed) & 1u << s))
        memset(page->now + s * SIM_SECTOR, 0, SIM_SECTOR);
}
