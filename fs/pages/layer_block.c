/* Blocks of a layer: from the file into memory, checked on the way. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/checksum.h"
#include "fs/pages/layer_impl.h"

/* What a thread needs to unpack: kept, since making it costs more than unpacking a block. */
struct scratch {
    ZSTD_DCtx *dctx;
    unsigned char stored[PFS_LAYER_RAW_MAX];
};

static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static int scratch_key_error;

static void scratch_free(void *p)
{
    struct scratch *s = p;

    ZSTD_freeDCtx(s->dctx);
    free(s);
}

static void scratch_init(void)
{
    scratch_key_error = pthread_key_create(&scratch_key, scratch_free);
}

/* This thread's, or NULL. */
static struct scratch *scratch_get(void)
{
    struct scratch *s;

    pthread_once(&scratch_once, scratch_init);
    if (scratch_key_error)
        return NULL;
    s = pthread_getspecific(scratch_key);
    if (s)
        return s;
    s = malloc(sizeof(*s));
    if (!s)
        return NULL;
    s->dctx = ZSTD_createDCtx();
    if (!s->dctx || pthread_setspecific(scratch_key, s)) {
        scratch_free(s);
        return NULL;
    }
    return s;
}

static int damaged(const struct pfs_layer *layer, uint32_t block_no, const char *what)
{
    return pfs_fail(PFS_ECORRUPT, "%s: block at offset %llu: %s", layer->name,
                    (unsigned long long)layer->index[block_no].offset, what);
}

/* Check one entry, given what must come before it. *at is its offset and becomes its end. */
static const char *entry_fault(const struct pfs_layer_info *info, const unsigned char *raw,
                               uint32_t end, uint32_t *at, struct pfs_version *prev, bool first)
{
    const unsigned char *p = raw + *at;
    struct pfs_version v;

    if (end - *at < PFS_LAYER_ENTRY_BYTES)
        return "an entry passes the end";
    pfs_layer_entry_decode(p, &v);
    if (v.len > PFS_LAYER_VALUE_MAX || v.len > end - *at - PFS_LAYER_ENTRY_BYTES)
        return "a value passes the end";
    if (v.kind < PFS_KIND_VALUE || v.kind > PFS_KIND_DELETE || p[3] != 0)
        return "an entry of an unknown kind";
    if (v.lsn <= info->lsn_from || v.lsn > info->lsn_to)
        return "an LSN outside of the layer's range";
    if (!first && pfs_version_cmp(&prev->key, prev->lsn, &v.key, v.lsn) >= 0)
        return "entries out of order";
    *at += PFS_LAYER_ENTRY_BYTES + v.len;
    *prev = v;
    return NULL;
}

/* The checksum says that these are the bytes that were written; this says that they were right, so
 * that nobody who reads the block later needs to look at a bound. */
static int check_entries(const struct pfs_layer *layer, uint32_t block_no, const unsigned char *raw)
{
    const struct pfs_layer_index *e = &layer->index[block_no];
    uint32_t count = pfs_layer_block_count(raw, e->raw_len);
    uint32_t end, at = 0;
    struct pfs_version v = {0};

    if (count == 0 || count > (e->raw_len - 4) / (PFS_LAYER_ENTRY_BYTES + 4))
        return damaged(layer, block_no, "wrong number of entries");
    end = pfs_layer_block_table(raw, e->raw_len);
    for (uint32_t i = 0; i < count; i++) {
        const char *fault;

        if (pfs_get32(raw + end + 4 * i) != at)
            return damaged(layer, block_no, "wrong offset of an entry");
        fault = entry_fault(&layer->footer.info, raw, end, &at, &v, i == 0);
        if (fault)
            return damaged(layer, block_no, fault);
        if (i == 0) {
            struct pfs_key key = pfs_layer_index_key(e);

            if (pfs_version_cmp(&key, e->lsn, &v.key, v.lsn) != 0)
                return damaged(layer, block_no, "its first entry isn't what the index says");
        }
    }
    if (at != end)
        return damaged(layer, block_no, "bytes that belong to no entry");
    if (block_no + 1 < layer->footer.blocks) {
        struct pfs_key next = pfs_layer_index_key(e + 1);

        if (pfs_version_cmp(&v.key, v.lsn, &next, e[1].lsn) >= 0)
            return damaged(layer, block_no, "its last entry comes after the next block");
    }
    return 0;
}

int pfs_layer_load_block(void *ctx, uint32_t block_no, unsigned char **data_out, uint32_t *len_out)
{
    struct pfs_layer *layer = ctx;
    const struct pfs_layer_index *e = &layer->index[block_no];
    bool packed = e->stored_len < e->raw_len;
    struct scratch *s = packed ? scratch_get() : NULL;
    unsigned char *raw = malloc(e->raw_len);
    unsigned char *stored = packed && s ? s->stored : raw;
    int err;

    assert(block_no < layer->footer.blocks);
    if (!raw || !stored || (packed && !s)) {
        err = pfs_fail(PFS_ENOMEM, "%s: out of memory for a block", layer->name);
        goto out;
    }
    err = layer->file->ops->pread(layer->file, stored, e->stored_len, e->offset);
    if (err)
        goto out;
    if (pfs_checksum(stored, e->stored_len) != e->checksum) {
        err = damaged(layer, block_no, "checksum mismatch");
        goto out;
    }
    if (packed) {
        size_t n = ZSTD_decompressDCtx(s->dctx, raw, e->raw_len, stored, e->stored_len);

        if (ZSTD_isError(n) || n != e->raw_len) {
            err = damaged(layer, block_no, "cannot be unpacked");
            goto out;
        }
    }
    err = check_entries(layer, block_no, raw);
out:
    if (err) {
        free(raw);
        return err;
    }
    *data_out = raw;
    *len_out = e->raw_len;
    return 0;
}
