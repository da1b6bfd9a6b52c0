/* Reads all of a layer again, from the file and not from memory. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/bloom.h"
#include "fs/pages/layer_impl.h"

struct verify {
    struct pfs_layer *layer;
    pfs_layer_damage_cb *cb;
    void *ctx;
    bool damaged;
    uint64_t entries, raw_bytes, keys;
    bool any; /* last is a key */
    uint64_t last_hash;
};

/* A damage is reported and the rest still looked at (0); any other error ends it. */
static int judge(struct verify *v, int err, uint64_t offset)
{
    if (err != PFS_ECORRUPT)
        return err;
    v->damaged = true;
    if (v->cb)
        v->cb(v->ctx, offset, pfs_err_message());
    return 0;
}

static int verify_header(struct verify *v)
{
    struct pfs_layer *layer = v->layer;
    unsigned char bytes[PFS_LAYER_HEADER_BYTES];
    int err = layer->file->ops->pread(layer->file, bytes, sizeof(bytes), 0);

    if (!err)
        err = pfs_layer_header_check(bytes, layer->name, &layer->footer.info);
    return judge(v, err, 0);
}

/* Is the footer in the file still the one that was read when the layer was opened? */
static int verify_footer(struct verify *v)
{
    struct pfs_layer *layer = v->layer;
    uint64_t size = layer->footer.info.size_bytes, offset = size - PFS_LAYER_FOOTER_BYTES;
    unsigned char bytes[PFS_LAYER_FOOTER_BYTES];
    struct pfs_layer_footer now;
    uint64_t size_now;
    int err = layer->file->ops->size(layer->file, &size_now);

    if (!err && size_now != size)
        err = pfs_fail(PFS_ECORRUPT, "%s: size at offset %llu: %llu bytes when it was opened",
                       layer->name, (unsigned long long)size_now, (unsigned long long)size);
    if (!err)
        err = layer->file->ops->pread(layer->file, bytes, sizeof(bytes), offset);
    if (!err)
        err = pfs_layer_footer_decode(bytes, layer->name, size, &now);
    if (!err && now.info.checksum != layer->footer.info.checksum)
        err = pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: changed since it was opened",
                       layer->name, (unsigned long long)offset);
    return judge(v, err, offset);
}

static int verify_part(struct verify *v, const char *what, uint64_t len, uint64_t offset,
                       uint64_t checksum)
{
    void *buf = malloc(len + 1);
    int err;

    if (!buf)
        return pfs_fail(PFS_ENOMEM, "%s: out of memory", v->layer->name);
    err = pfs_layer_read_part(v->layer, what, buf, len, offset, checksum);
    free(buf);
    return judge(v, err, offset);
}

/* Count the entries of a block and look each key up in the filter. */
static int verify_keys(struct verify *v, const unsigned char *raw, uint32_t raw_len)
{
    const struct pfs_layer_footer *f = &v->layer->footer;
    uint32_t end = pfs_layer_block_table(raw, raw_len);

    for (uint32_t at = 0; at < end;) {
        struct pfs_version ver;
        uint64_t hash;

        pfs_layer_entry_decode(raw + at, &ver);
        at += PFS_LAYER_ENTRY_BYTES + ver.len;
        v->entries++;
        hash = pfs_bloom_hash(&ver.key);
        if (v->any && hash == v->last_hash)
            continue;
        v->any = true;
        v->last_hash = hash;
        v->keys++;
        if (!pfs_bloom_may_have(v->layer->filter, f->filter_len, hash)) {
            int err = pfs_fail(PFS_ECORRUPT, "%s: filter at offset %llu: lacks a key of the layer",
                               v->layer->name, (unsigned long long)f->filter_offset);

            err = judge(v, err, f->filter_offset);
            if (err)
                return err;
        }
    }
    v->raw_bytes += end;
    return 0;
}

static int verify_blocks(struct verify *v)
{
    for (uint32_t i = 0; i < v->layer->footer.blocks; i++) {
        unsigned char *raw;
        uint32_t raw_len;
        int err = pfs_layer_load_block(v->layer, i, &raw, &raw_len);

        if (err) {
            err = judge(v, err, v->layer->index[i].offset);
        } else {
            err = verify_keys(v, raw, raw_len);
            free(raw);
        }
        if (err)
            return err;
    }
    return 0;
}

/* Only meaningful if every block could be counted. */
static int verify_counts(struct verify *v)
{
    const struct pfs_layer_footer *f = &v->layer->footer;
    uint64_t offset = f->info.size_bytes - PFS_LAYER_FOOTER_BYTES;

    if (v->damaged ||
        (v->entries == f->info.entries && v->raw_bytes == f->info.raw_bytes && v->keys == f->keys))
        return 0;
    return judge(v,
                 pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: its counts are wrong",
                          v->layer->name, (unsigned long long)offset),
                 offset);
}

int pfs_layer_verify(struct pfs_layer *layer, pfs_layer_damage_cb *cb, void *ctx)
{
    const struct pfs_layer_footer *f = &layer->footer;
    struct verify v = {.layer = layer, .cb = cb, .ctx = ctx};
    int err = verify_header(&v);

    if (!err)
        err = verify_footer(&v);
    if (!err)
        err = verify_part(&v, "index", f->index_len, f->index_offset, f->index_checksum);
    if (!err)
        err = verify_part(&v, "filter", f->filter_len, f->filter_offset, f->filter_checksum);
    if (!err)
        err = verify_blocks(&v);
    if (!err)
        err = verify_counts(&v);
    if (err)
        return err;
    if (v.damaged)
        return pfs_fail(PFS_ECORRUPT, "%s: damaged", layer->name);
    return 0;
}
