/* Writes a layer front to back: entries gather in a block, blocks in a buffer that goes to the disk
 * by the mebibyte. Index and key hashes stay in memory until the end. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "fs/pages/bloom.h"
#include "fs/pages/layer_format.h"

#define WRITE_BYTES (1024 * 1024)
#define OFFSETS_MAX (PFS_LAYER_BLOCK_TARGET / (PFS_LAYER_ENTRY_BYTES + 4))
#define HASHES_MAX  ((uint64_t)PFS_LAYER_FILTER_MAX * 8 / PFS_BLOOM_BITS_PER_KEY)

struct pfs_layer_writer {
    struct pfs_layer_footer footer; /* grows to what is written in the end */
    struct pfs_file *file;
    char *name;
    ZSTD_CCtx *cctx;
    int failed; /* the error after which the file is good for nothing */
    bool finished;

    struct pfs_key last_key; /* of the version before, if there is one */
    pfs_lsn last_lsn;
    uint64_t last_hash;

    struct pfs_buf index;  /* as in the file */
    struct pfs_buf hashes; /* uint64_t each */

    uint64_t written; /* bytes of the file that have left out[] */
    uint32_t out_len;
    uint32_t raw_len;
    uint32_t count; /* of entries in raw[] */
    uint32_t offsets[OFFSETS_MAX];
    unsigned char raw[PFS_LAYER_RAW_MAX];
    unsigned char out[WRITE_BYTES + PFS_LAYER_RAW_MAX];
};

/* --- the file ------------------------------------------------------------------------------ */

static int write_out(struct pfs_layer_writer *w, uint32_t len)
{
    struct iovec iov = {.iov_base = w->out, .iov_len = len};
    int err = w->file->ops->pwritev(w->file, &iov, 1, w->written);

    if (err)
        return err;
    w->file->ops->writeback(w->file, w->written, len);
    w->written += len;
    w->out_len -= len;
    memmove(w->out, w->out + len, w->out_len);
    return 0;
}

/* len more bytes stand in out[]. */
static int out_added(struct pfs_layer_writer *w, uint32_t len)
{
    w->out_len += len;
    assert(w->out_len <= sizeof(w->out));
    return w->out_len >= WRITE_BYTES ? write_out(w, WRITE_BYTES) : 0;
}

static int out_add(struct pfs_layer_writer *w, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len > 0) {
        uint32_t n = (uint32_t)pfs_min64(len, sizeof(w->out) - w->out_len);
        int err;

        memcpy(w->out + w->out_len, p, n);
        err = out_added(w, n);
        if (err)
            return err;
        p += n;
        len -= n;
    }
    return 0;
}

/* --- blocks -------------------------------------------------------------------------------- */

/* Put the raw block into out[], packed if that saves a sixteenth; its stored length, 0 on error.
 * out[] has room for the longest raw block. */
static uint32_t pack_block(struct pfs_layer_writer *w)
{
    unsigned char *at = w->out + w->out_len;
    size_t n;

    assert(sizeof(w->out) - w->out_len >= w->raw_len);
    n = ZSTD_compressCCtx(w->cctx, at, w->raw_len - w->raw_len / 16, w->raw, w->raw_len,
                          PFS_LAYER_ZSTD_LEVEL);
    if (!ZSTD_isError(n))
        return (uint32_t)n;
    if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall) {
        (void)pfs_fail(PFS_ENOMEM, "%s: cannot pack a block: %s", w->name, ZSTD_getErrorName(n));
        return 0;
    }
    memcpy(at, w->raw, w->raw_len);
    return w->raw_len;
}

static int end_block(struct pfs_layer_writer *w)
{
    unsigned char *e;
    uint32_t stored;
    int err;

    if (w->count == 0)
        return 0;
    for (uint32_t i = 0; i < w->count; i++, w->raw_len += 4)
        pfs_put32(w->raw + w->raw_len, w->offsets[i]);
    pfs_put32(w->raw + w->raw_len, w->count);
    w->raw_len += 4;
    assert(w->raw_len >= PFS_LAYER_RAW_MIN && w->raw_len <= sizeof(w->raw));

    stored = pack_block(w);
    if (stored == 0)
        return PFS_ENOMEM;
    err = pfs_buf_reserve(&w->index, PFS_LAYER_INDEX_ENTRY_BYTES);
    if (err)
        return pfs_context(err, "%s: index", w->name);
    e = w->index.data + w->index.len;
    memset(e, 0, PFS_LAYER_INDEX_ENTRY_BYTES);
    e[0] = w->raw[0];
    memcpy(e + 8, w->raw + 8, 24); /* a, b, lsn */
    pfs_put32(e + PFS_LAYER_INDEX_STORED, stored);
    pfs_put32(e + PFS_LAYER_INDEX_STORED + 4, w->raw_len);
    pfs_put64(e + PFS_LAYER_INDEX_CHECKSUM, pfs_checksum(w->out + w->out_len, stored));
    w->index.len += PFS_LAYER_INDEX_ENTRY_BYTES;
    w->footer.blocks++;
    w->count = 0;
    w->raw_len = 0;
    return out_added(w, stored);
}

static int add_hash(struct pfs_layer_writer *w, const struct pfs_version *v)
{
    uint64_t hash;
    int err;

    if (w->footer.info.entries > 0 && pfs_key_cmp(&w->last_key, &v->key) == 0)
        return 0;
    hash = pfs_bloom_hash(&v->key);
    if (w->footer.info.entries > 0 && hash == w->last_hash)
        return 0; /* a name of the same group */
    err = pfs_buf_add(&w->hashes, &hash, sizeof(hash));
    if (err)
        return pfs_context(err, "%s: filter", w->name);
    w->last_hash = hash;
    w->footer.keys++;
    return 0;
}

static int add(struct pfs_layer_writer *w, const struct pfs_version *v)
{
    uint32_t len = PFS_LAYER_ENTRY_BYTES + v->len;
    int err;

    if (w->count > 0 && w->raw_len + len + 4 * (w->count + 1) + 4 > PFS_LAYER_BLOCK_TARGET) {
        err = end_block(w);
        if (err)
            return err;
    }
    err = add_hash(w, v);
    if (err)
        return err;
    assert(w->count < OFFSETS_MAX);
    w->offsets[w->count++] = w->raw_len;
    pfs_layer_entry_encode(v, w->raw + w->raw_len);
    if (v->len > 0)
        memcpy(w->raw + w->raw_len + PFS_LAYER_ENTRY_BYTES, v->data, v->len);
    w->raw_len += len;
    w->last_key = v->key;
    w->last_lsn = v->lsn;
    w->footer.info.entries++;
    w->footer.info.raw_bytes += len;
    return 0;
}

/* --- the end -------------------------------------------------------------------------------- */

static int add_filter(struct pfs_layer_writer *w)
{
    struct pfs_layer_footer *f = &w->footer;
    unsigned char *bits;
    int err;

    f->filter_len = pfs_bloom_bytes(f->keys);
    if (f->filter_len > PFS_LAYER_FILTER_MAX)
        return pfs_fail(PFS_ENOMEM, "%s: too many keys for one layer", w->name);
    bits = calloc(1, f->filter_len + 1);
    if (!bits)
        return pfs_fail(PFS_ENOMEM, "%s: out of memory for the filter", w->name);
    for (size_t i = 0; i < f->keys; i++) {
        uint64_t hash;

        memcpy(&hash, w->hashes.data + i * sizeof(hash), sizeof(hash));
        pfs_bloom_add(bits, f->filter_len, hash);
    }
    f->filter_checksum = pfs_checksum(bits, f->filter_len);
    err = out_add(w, bits, f->filter_len);
    free(bits);
    return err;
}

static int finish(struct pfs_layer_writer *w)
{
    struct pfs_layer_footer *f = &w->footer;
    unsigned char bytes[PFS_LAYER_FOOTER_BYTES];
    int err = end_block(w);

    if (err)
        return err;
    f->index_offset = w->written + w->out_len;
    f->index_len = w->index.len;
    f->index_checksum = pfs_checksum(w->index.data, w->index.len);
    f->filter_offset = f->index_offset + f->index_len;
    err = out_add(w, w->index.data, w->index.len);
    if (!err)
        err = add_filter(w);
    if (err)
        return err;
    pfs_layer_footer_encode(f, bytes);
    err = out_add(w, bytes, sizeof(bytes));
    if (!err && w->out_len > 0)
        err = write_out(w, w->out_len);
    if (!err)
        err = w->file->ops->sync(w->file);
    f->info.size_bytes = w->written;
    return err;
}

/* --- what others see ------------------------------------------------------------------------ */

int pfs_layer_writer_create(struct pfs_io *io, const char *name, const struct pfs_layer_info *info,
                            struct pfs_layer_writer **out)
{
    struct pfs_layer_writer *w = malloc(sizeof(*w));
    int err;

    assert(info->lsn_from <= info->lsn_to);
    if (!w)
        return pfs_fail(PFS_ENOMEM, "%s: out of memory", name);
    memset(w, 0, offsetof(struct pfs_layer_writer, offsets)); /* not the large arrays */
    memcpy(w->footer.info.uuid, info->uuid, sizeof(info->uuid));
    w->footer.info.branch = info->branch;
    w->footer.info.lsn_from = info->lsn_from;
    w->footer.info.lsn_to = info->lsn_to;
    pfs_buf_init(&w->index, PFS_LAYER_INDEX_MAX);
    pfs_buf_init(&w->hashes, HASHES_MAX * sizeof(uint64_t));
    w->name = strdup(name);
    w->cctx = ZSTD_createCCtx();
    if (!w->name || !w->cctx)
        err = pfs_fail(PFS_ENOMEM, "%s: out of memory", name);
    else
        err = io->ops->open(io, name, PFS_IO_RDWR | PFS_IO_CREATE, &w->file);
    if (err) {
        pfs_layer_writer_destroy(w);
        return err;
    }
    pfs_layer_header_encode(info, w->out);
    w->out_len = PFS_LAYER_HEADER_BYTES;
    *out = w;
    return 0;
}

int pfs_layer_writer_add(struct pfs_layer_writer *w, const struct pfs_version *v)
{
    const struct pfs_layer_info *info = &w->footer.info;

    assert(!w->finished);
    assert(v->kind >= PFS_KIND_VALUE && v->kind <= PFS_KIND_DELETE);
    assert(v->lsn > info->lsn_from && v->lsn <= info->lsn_to);
    assert(info->entries == 0 || pfs_version_cmp(&w->last_key, w->last_lsn, &v->key, v->lsn) < 0);
    if (w->failed)
        return pfs_fail(w->failed, "%s: writing it has failed before", w->name);
    if (v->len > PFS_LAYER_VALUE_MAX)
        return pfs_fail(PFS_EINVAL, "%s: a value of %u bytes is too long", w->name, v->len);
    w->failed = add(w, v);
    return w->failed;
}

int pfs_layer_writer_finish(struct pfs_layer_writer *w, struct pfs_layer_info *info_out)
{
    assert(!w->finished);
    if (w->failed)
        return pfs_fail(w->failed, "%s: writing it has failed before", w->name);
    w->failed = finish(w);
    if (w->failed)
        return w->failed;
    w->finished = true;
    *info_out = w->footer.info;
    return 0;
}

void pfs_layer_writer_destroy(struct pfs_layer_writer *w)
{
    if (!w)
        return;
    if (w->file)
        w->file->ops->close(w->file);
    ZSTD_freeCCtx(w->cctx);
    pfs_buf_release(&w->index);
    pfs_buf_release(&w->hashes);
    free(w->name);
    free(w);
}
