/* Any bytes as a journal record. The first byte says whether its checksums are put right first, so
 * that what stands behind them is reached. What is accepted is encoded again: the same bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "tests/fuzz/mend_record.h"

#define LSN UINT64_C(0x1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static void use(const unsigned char *bytes, const struct pfs_record *rec,
                const struct pfs_entry *entries)
{
    for (unsigned i = 0; i < rec->n_entries; i++) {
        const unsigned char *at = entries[i].data;

        assert(at >= bytes && at + entries[i].len <= bytes + rec->len);
        assert(entries[i].pos == rec->lsn + (uint64_t)(at - bytes));
        assert(entries[i].kind >= PFS_KIND_VALUE && entries[i].kind <= PFS_KIND_DELETE);
        sink ^= (unsigned char)pfs_checksum(at, entries[i].len);
    }
}

static void encode_again(const unsigned char *bytes, const struct pfs_record *rec,
                         struct pfs_entry *entries)
{
    size_t len = PFS_RECORD_HEADER + (size_t)rec->n_entries * PFS_RECORD_ENTRY;
    unsigned char *again = malloc(len);
    struct pfs_record copy = *rec;

    if (!again)
        abort();
    assert(rec->op == PFS_OP_PAD || pfs_record_len(entries, rec->n_entries) == rec->len);
    pfs_record_encode(&copy, entries, rec->n_entries, again);
    assert(memcmp(again, bytes, len) == 0);
    free(again);
}

static void decode(const unsigned char *bytes, size_t size)
{
    struct pfs_entry *entries;
    struct pfs_record rec;

    if (size < PFS_RECORD_HEADER || pfs_record_decode_header(bytes, LSN, &rec))
        return;
    assert(rec.op < PFS_OP_LIMIT && rec.len >= PFS_RECORD_HEADER && rec.len % 8 == 0);
    if (rec.len > size)
        return;
    entries = calloc(rec.n_entries + 1u, sizeof(*entries));
    if (!entries)
        abort();
    if (!pfs_record_decode(bytes, &rec, entries)) {
        use(bytes, &rec, entries);
        encode_again(bytes, &rec, entries);
    }
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes;

    if (size == 0)
        return 0;
    bytes = malloc(size - 1 ? size - 1 : 1);
    if (!bytes)
        abort();
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        (void)mend_record(bytes, size - 1, LSN, 0);
    decode(bytes, size - 1);
    free(bytes);
    return 0;
}
