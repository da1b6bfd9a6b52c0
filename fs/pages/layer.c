#include "fs/pages/layer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "fs/pages/bloom.h"
#include "fs/pages/layer_impl.h"

/* --- opening ------------------------------------------------------------------------------ */

int pfs_layer_read_part(struct pfs_layer *layer, const char *what, void *buf, uint64_t len,
                        uint64_t offset, uint64_t checksum)
{
    int err = 0;

    if (len > 0)
        err = layer->file->ops->pread(layer->file, buf, len, offset);
    if (!err && pfs_checksum(buf, len) != checksum)
        err = pfs_fail(PFS_ECORRUPT, "%s: %s at offset %llu: checksum mismatch", layer->name, what,
                       (unsigned long long)offset);
    return err;
}

static int read_footer(struct pfs_layer *layer)
{
    unsigned char bytes[PFS_LAYER_FOOTER_BYTES];
    uint64_t size;
    int err = layer->file->ops->size(layer->file, &size);

    if (err)
        return err;
    if (size < PFS_LAYER_HEADER_BYTES + PFS_LAYER_FOOTER_BYTES)
        return pfs_fail(PFS_ECORRUPT, "%s: truncated at offset %llu: too short for a layer",
                        layer->name, (unsigned long long)size);
    err = layer->file->ops->pread(layer->file, bytes, sizeof(bytes), size - sizeof(bytes));
    if (err)
        return err;
    return pfs_layer_footer_decode(bytes, layer->name, size, &layer->footer);
}

/* What the manifest expects and what is there: which of the fields differs? */
static int check_expected(const struct pfs_layer *layer, const struct pfs_layer_info *want)
{
    const struct pfs_layer_info *is = &layer->footer.info;
    const char *what = NULL;

    if (memcmp(is->uuid, want->uuid, sizeof(is->uuid)) != 0)
        what = "it belongs to another volume";
    else if (is->branch != want->branch)
        what = "it belongs to another branch";
    else if (is->lsn_from != want->lsn_from || is->lsn_to != want->lsn_to)
        what = "its LSN range is another";
    else if (is->size_bytes != want->size_bytes)
        what = "its size is another";
    else if (is->entries != want->entries || is->raw_bytes != want->raw_bytes ||
             is->checksum != want->checksum)
        what = "its content is another";
    if (!what)
        return 0;
    return pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: not the layer that was expected: %s",
                    layer->name, (unsigned long long)(is->size_bytes - PFS_LAYER_FOOTER_BYTES),
                    what);
}

/* Decode one entry. Why it can't be right, or NULL. */
static const char *index_entry(const struct pfs_layer *layer, const unsigned char *p,
                               struct pfs_layer_index *e, uint64_t offset)
{
    uint32_t stored = pfs_get32(p + PFS_LAYER_INDEX_STORED);
    uint32_t raw = pfs_get32(p + PFS_LAYER_INDEX_STORED + 4);

    if (!pfs_all_zero(p + 1, 7))
        return "zeros are missing";
    if (raw < PFS_LAYER_RAW_MIN || raw > PFS_LAYER_RAW_MAX || stored == 0 || stored > raw)
        return "impossible length of a block";
    if (stored > layer->footer.index_offset - offset)
        return "a block passes the index";
    *e = (struct pfs_layer_index){
        .type = p[0],
        .a = pfs_get64(p + 8),
        .b = pfs_get64(p + 16),
        .lsn = pfs_get64(p + 24),
        .offset = offset,
        .stored_len = stored,
        .raw_len = raw,
        .checksum = pfs_get64(p + PFS_LAYER_INDEX_CHECKSUM),
    };
    return NULL;
}

static int decode_index(struct pfs_layer *layer, const unsigned char *bytes)
{
    const struct pfs_layer_footer *f = &layer->footer;
    uint64_t offset = PFS_LAYER_HEADER_BYTES;

    for (uint32_t i = 0; i < f->blocks; i++) {
        const unsigned char *p = bytes + (size_t)i * PFS_LAYER_INDEX_ENTRY_BYTES;
        struct pfs_layer_index *e = &layer->index[i];
        const char *fault = index_entry(layer, p, e, offset);

        if (!fault && i > 0) {
            struct pfs_key key = pfs_layer_index_key(e), before = pfs_layer_index_key(e - 1);

            if (pfs_version_cmp(&before, e[-1].lsn, &key, e->lsn) >= 0)
                fault = "blocks out of order";
        }
        if (fault)
            return pfs_fail(PFS_ECORRUPT, "%s: index at offset %llu: %s", layer->name,
                            (unsigned long long)(f->index_offset + (uint64_t)(p - bytes)), fault);
        offset += e->stored_len;
    }
    if (offset != f->index_offset)
        return pfs_fail(PFS_ECORRUPT, "%s: bytes at offset %llu belong to no block", layer->name,
                        (unsigned long long)offset);
    return 0;
}

static int read_index_and_filter(struct pfs_layer *layer)
{
    const struct pfs_layer_footer *f = &layer->footer;
    unsigned char *bytes = malloc(f->index_len + 1);
    int err;

    layer->index = malloc((size_t)f->blocks * sizeof(*layer->index) + 1);
    layer->filter = aligned_alloc(64, pfs_round_up(f->filter_len + 1, 64));
    if (!bytes || !layer->index || !layer->filter) {
        err = pfs_fail(PFS_ENOMEM, "%s: out of memory for its index", layer->name);
        goto out;
    }
    err = pfs_layer_read_part(layer, "index", bytes, f->index_len, f->index_offset,
                              f->index_checksum);
    if (!err)
        err = pfs_layer_read_part(layer, "filter", layer->filter, f->filter_len, f->filter_offset,
                                  f->filter_checksum);
    if (!err)
        err = decode_index(layer, bytes);
out:
    free(bytes);
    return err;
}

int pfs_layer_open(struct pfs_io *io, const char *name, const struct pfs_layer_info *expect,
                   struct pfs_block_cache *cache, struct pfs_layer **out)
{
    struct pfs_layer *layer = calloc(1, sizeof(*layer));
    int err;

    if (layer)
        layer->name = strdup(name);
    if (!layer || !layer->name) {
        err = pfs_fail(PFS_ENOMEM, "%s: out of memory", name);
        goto out;
    }
    layer->cache = cache;
    err = io->ops->open(io, name, PFS_IO_RDONLY, &layer->file);
    if (err)
        goto out;
    err = read_footer(layer);
    if (!err && expect)
        err = check_expected(layer, expect);
    if (!err)
        err = read_index_and_filter(layer);
    if (err)
        goto out;
    layer->owner = pfs_block_cache_owner(cache);
    *out = layer;
out:
    if (err)
        pfs_layer_close(layer);
    return err;
}

void pfs_layer_close(struct pfs_layer *layer)
{
    if (!layer)
        return;
    if (layer->owner)
        pfs_block_cache_drop(layer->cache, layer->owner);
    if (layer->file)
        layer->file->ops->close(layer->file);
    free(layer->index);
    free(layer->filter);
    free(layer->name);
    free(layer);
}

const struct pfs_layer_info *pfs_layer_info(const struct pfs_layer *layer)
{
    return &layer->footer.info;
}

const char *pfs_layer_name(const struct pfs_layer *layer)
{
    return layer->name;
}

bool pfs_layer_may_have(const struct pfs_layer *layer, const struct pfs_key *key)
{
    return pfs_bloom_may_have(layer->filter, layer->footer.filter_len, pfs_bloom_hash(key));
}

size_t pfs_layer_memory(const struct pfs_layer *layer)
{
    return sizeof(*layer) + layer->footer.blocks * sizeof(*layer->index) + layer->footer.filter_len;
}

/* --- reading ------------------------------------------------------------------------------ */

void pfs_layer_cursor_init(struct pfs_layer_cursor *cur, struct pfs_layer *layer)
{
    memset(cur, 0, sizeof(*cur));
    cur->layer = layer;
}

void pfs_layer_cursor_release(struct pfs_layer_cursor *cur)
{
    if (cur->block)
        pfs_block_cache_put(cur->layer->cache, cur->block);
    cur->block = NULL;
    cur->valid = false;
}

/* Pin a block, which may be the one that is pinned already, or none past the last. */
static int enter_block(struct pfs_layer_cursor *cur, uint32_t block_no)
{
    if (cur->block && cur->block_no == block_no)
        return 0;
    pfs_layer_cursor_release(cur);
    cur->block_no = block_no;
    if (block_no >= cur->layer->footer.blocks)
        return 0;
    return pfs_block_cache_get(cur->layer->cache, cur->layer->owner, block_no, pfs_layer_load_block,
                               cur->layer, &cur->block);
}

static void stand_at(struct pfs_layer_cursor *cur, uint32_t offset)
{
    pfs_layer_entry_decode(cur->block->data + offset, &cur->at);
    cur->offset = offset + PFS_LAYER_ENTRY_BYTES + cur->at.len;
    cur->valid = true;
}

/* To the first version of a block; past the end if there is no such block. */
static int to_block_start(struct pfs_layer_cursor *cur, uint32_t block_no)
{
    int err = enter_block(cur, block_no);

    if (!err && cur->block)
        stand_at(cur, 0);
    return err;
}

/* The last block whose first version isn't after (key, lsn), or block 0. */
static uint32_t find_block(const struct pfs_layer *layer, const struct pfs_key *key, pfs_lsn lsn)
{
    uint32_t low = 0, high = layer->footer.blocks; /* the first block after it is in [low, high] */

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct pfs_key first = pfs_layer_index_key(&layer->index[mid]);

        if (pfs_version_cmp(&first, layer->index[mid].lsn, key, lsn) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : 0;
}

int pfs_layer_cursor_seek(struct pfs_layer_cursor *cur, const struct pfs_key *key, pfs_lsn lsn)
{
    uint32_t low = 0, high, count, table;
    const unsigned char *raw;
    int err;

    cur->valid = false;
    err = enter_block(cur, find_block(cur->layer, key, lsn));
    if (err || !cur->block)
        return err;
    raw = cur->block->data;
    count = high = pfs_layer_block_count(raw, cur->block->len);
    table = pfs_layer_block_table(raw, cur->block->len);
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct pfs_version v;

        pfs_layer_entry_decode(raw + pfs_get32(raw + table + 4 * mid), &v);
        if (pfs_version_cmp(&v.key, v.lsn, key, lsn) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == count)
        return to_block_start(cur, cur->block_no + 1);
    stand_at(cur, pfs_get32(raw + table + 4 * low));
    return 0;
}

int pfs_layer_cursor_next(struct pfs_layer_cursor *cur)
{
    assert(cur->valid);
    cur->valid = false;
    if (cur->offset == pfs_layer_block_table(cur->block->data, cur->block->len))
        return to_block_start(cur, cur->block_no + 1);
    stand_at(cur, cur->offset);
    return 0;
}
