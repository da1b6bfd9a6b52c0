/* Any bytes as a layer: opened, read through, searched and verified.
 *
 * The first byte says whether the checksums of the rest are put right first, so that what lies
 * behind them is reached: only a writer gone wrong makes such a layer, and it must not bring us
 * down either. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "fs/pages/layer_format.h"
#include "tests/lib/layer_mend.h"
#include "tests/lib/memio.c" /* fuzz targets are linked with the library alone */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static void use(const struct pfs_layer *layer, const struct pfs_version *v)
{
    const struct pfs_layer_info *info = pfs_layer_info(layer);

    assert(v->lsn > info->lsn_from && v->lsn <= info->lsn_to);
    assert(v->len <= PFS_LAYER_VALUE_MAX);
    sink ^= (unsigned char)pfs_checksum(v->data, v->len);
}

/* From the first version on; each is found again by a search. */
static void read_through(struct pfs_layer *layer)
{
    struct pfs_layer_cursor cur, other;
    struct pfs_version before = {0};
    bool any = false;
    unsigned steps = 0;
    int err;

    pfs_layer_cursor_init(&cur, layer);
    pfs_layer_cursor_init(&other, layer);
    err = pfs_layer_cursor_seek(&cur, &before.key, PFS_LSN_MAX);
    while (!err && cur.valid && steps++ < 5000) {
        use(layer, &cur.at);
        assert(!any || pfs_version_cmp(&before.key, before.lsn, &cur.at.key, cur.at.lsn) < 0);
        any = true;
        before = cur.at;
        sink ^= pfs_layer_may_have(layer, &before.key);
        if (!pfs_layer_cursor_seek(&other, &before.key, before.lsn)) {
            assert(other.valid);
            assert(pfs_version_cmp(&before.key, before.lsn, &other.at.key, other.at.lsn) == 0);
        }
        if (!pfs_layer_cursor_seek(&other, &before.key, 0) && other.valid) {
            use(layer, &other.at);
            assert(pfs_version_cmp(&before.key, 0, &other.at.key, other.at.lsn) <= 0);
        }
        err = pfs_layer_cursor_next(&cur);
    }
    pfs_layer_cursor_release(&cur);
    pfs_layer_cursor_release(&other);
}

static void count_damage(void *ctx, uint64_t offset, const char *text)
{
    assert(text[0] != '\0');
    (void)offset;
    ++*(unsigned *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pfs_io *io = memio_create();
    struct pfs_block_cache *cache;
    struct pfs_layer *layer;
    unsigned damages = 0;

    if (pfs_block_cache_create(1 << 20, &cache))
        abort();
    if (size > 0) {
        size_t len;

        memio_put(io, "layer", data + 1, size - 1);
        if (data[0] & 1)
            layer_mend(memio_bytes(io, "layer", &len), size - 1);
    }
    if (!pfs_layer_open(io, "layer", NULL, cache, &layer)) {
        int err;

        read_through(layer);
        err = pfs_layer_verify(layer, count_damage, &damages);
        assert((err == 0) == (damages == 0));
        pfs_layer_close(layer);
    }
    pfs_block_cache_destroy(cache);
    io->ops->destroy(io);
    return 0;
}
