#include "fs/pages/layer_format.h"

#include <assert.h>
#include <string.h>

#include "base/checksum.h"
#include "fs/pages/bloom.h"

void pfs_layer_header_encode(const struct pfs_layer_info *info,
                             unsigned char out[PFS_LAYER_HEADER_BYTES])
{
    memcpy(out, PFS_LAYER_MAGIC, 8);
    pfs_put32(out + 8, PFS_LAYER_VERSION);
    pfs_put32(out + 12, info->branch);
    memcpy(out + 16, info->uuid, 16);
    pfs_put64(out + 32, info->lsn_from);
    pfs_put64(out + 40, info->lsn_to);
    pfs_put64(out + 48, 0);
    pfs_put64(out + PFS_LAYER_HEADER_CHECKSUM, pfs_checksum(out, PFS_LAYER_HEADER_CHECKSUM));
}

int pfs_layer_header_check(const unsigned char in[PFS_LAYER_HEADER_BYTES], const char *name,
                           const struct pfs_layer_info *info)
{
    unsigned char want[PFS_LAYER_HEADER_BYTES];

    pfs_layer_header_encode(info, want);
    for (unsigned i = 0; i < sizeof(want); i++)
        if (in[i] != want[i])
            return pfs_fail(PFS_ECORRUPT,
                            "%s: header at offset 0: differs from the footer at byte %u", name, i);
    return 0;
}

void pfs_layer_footer_encode(struct pfs_layer_footer *f, unsigned char out[PFS_LAYER_FOOTER_BYTES])
{
    pfs_put64(out + 0, f->index_offset);
    pfs_put64(out + 8, f->index_len);
    pfs_put64(out + 16, f->index_checksum);
    pfs_put64(out + 24, f->filter_offset);
    pfs_put64(out + 32, f->filter_len);
    pfs_put64(out + 40, f->filter_checksum);
    pfs_put64(out + 48, f->info.entries);
    pfs_put64(out + 56, f->info.raw_bytes);
    pfs_put64(out + 64, f->keys);
    pfs_put64(out + 72, f->info.lsn_from);
    pfs_put64(out + 80, f->info.lsn_to);
    memcpy(out + 88, f->info.uuid, 16);
    pfs_put32(out + 104, f->info.branch);
    pfs_put32(out + 108, f->blocks);
    pfs_put64(out + 112, 0);
    f->info.checksum = pfs_checksum(out, PFS_LAYER_FOOTER_CHECKSUM);
    pfs_put64(out + PFS_LAYER_FOOTER_CHECKSUM, f->info.checksum);
    pfs_put32(out + PFS_LAYER_FOOTER_TAIL, PFS_LAYER_VERSION);
    pfs_put32(out + PFS_LAYER_FOOTER_TAIL + 4, ~(uint32_t)PFS_LAYER_VERSION);
    memcpy(out + PFS_LAYER_FOOTER_TAIL + 8, PFS_LAYER_MAGIC, 8);
}

static void footer_fields(const unsigned char *in, struct pfs_layer_footer *f)
{
    f->index_offset = pfs_get64(in + 0);
    f->index_len = pfs_get64(in + 8);
    f->index_checksum = pfs_get64(in + 16);
    f->filter_offset = pfs_get64(in + 24);
    f->filter_len = pfs_get64(in + 32);
    f->filter_checksum = pfs_get64(in + 40);
    f->info.entries = pfs_get64(in + 48);
    f->info.raw_bytes = pfs_get64(in + 56);
    f->keys = pfs_get64(in + 64);
    f->info.lsn_from = pfs_get64(in + 72);
    f->info.lsn_to = pfs_get64(in + 80);
    memcpy(f->info.uuid, in + 88, 16);
    f->info.branch = pfs_get32(in + 104);
    f->blocks = pfs_get32(in + 108);
    f->info.checksum = pfs_get64(in + PFS_LAYER_FOOTER_CHECKSUM);
}

/* Why the footer makes no sense, or NULL. In this order no sum can overflow. */
static const char *footer_fault(const struct pfs_layer_footer *f, uint64_t footer_offset)
{
    if (f->index_len > PFS_LAYER_INDEX_MAX || f->filter_len > PFS_LAYER_FILTER_MAX)
        return "index or filter longer than any";
    if (f->index_len != (uint64_t)f->blocks * PFS_LAYER_INDEX_ENTRY_BYTES)
        return "index length and block count disagree";
    if (f->keys > f->info.entries || f->filter_len != pfs_bloom_bytes(f->keys))
        return "filter length and key count disagree";
    if (f->index_offset < PFS_LAYER_HEADER_BYTES || f->index_offset > footer_offset ||
        f->filter_offset != f->index_offset + f->index_len ||
        footer_offset != f->filter_offset + f->filter_len)
        return "the parts don't fill the file";
    if (f->info.entries < f->blocks || (f->info.entries > 0) != (f->blocks > 0) ||
        (f->info.entries > 0) != (f->keys > 0))
        return "the counts disagree";
    if (f->info.lsn_from > f->info.lsn_to)
        return "its LSN range ends before it starts";
    return NULL;
}

int pfs_layer_footer_decode(const unsigned char in[PFS_LAYER_FOOTER_BYTES], const char *name,
                            uint64_t size, struct pfs_layer_footer *out)
{
    uint64_t offset = size - PFS_LAYER_FOOTER_BYTES;
    uint32_t version = pfs_get32(in + PFS_LAYER_FOOTER_TAIL);
    const char *fault;

    assert(size >= PFS_LAYER_FOOTER_BYTES);
    if (memcmp(in + PFS_LAYER_FOOTER_TAIL + 8, PFS_LAYER_MAGIC, 8) != 0 ||
        pfs_get32(in + PFS_LAYER_FOOTER_TAIL + 4) != ~version || version == 0)
        return pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: this is not the end of a layer",
                        name, (unsigned long long)offset);
    if (version > PFS_LAYER_VERSION)
        return pfs_fail(PFS_EVERSION,
                        "%s: layer format version %u, but this program knows none above %d: use a "
                        "newer pagefs",
                        name, version, PFS_LAYER_VERSION);
    if (pfs_get64(in + PFS_LAYER_FOOTER_CHECKSUM) != pfs_checksum(in, PFS_LAYER_FOOTER_CHECKSUM))
        return pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: checksum mismatch", name,
                        (unsigned long long)offset);
    memset(out, 0, sizeof(*out));
    footer_fields(in, out);
    out->info.size_bytes = size;
    fault = pfs_get64(in + 112) != 0 ? "zeros are missing" : footer_fault(out, offset);
    if (fault)
        return pfs_fail(PFS_ECORRUPT, "%s: footer at offset %llu: %s", name,
                        (unsigned long long)offset, fault);
    return 0;
}
