#include "wal/record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

static const char *const op_names[PFS_OP_LIMIT] = {
    "pad",       "write",    "create",      "mkdir",  "symlink", "mknod",
    "link",      "unlink",   "rmdir",       "rename", "setattr", "truncate",
    "fallocate", "setxattr", "removexattr", "times",  "reap",    "format",
};

const char *pfs_op_name(unsigned op)
{
    return op < PFS_OP_LIMIT ? op_names[op] : "?";
}

static uint32_t padded(uint32_t len)
{
    return (len + 7) & ~UINT32_C(7);
}

uint32_t pfs_record_len(const struct pfs_entry *entries, unsigned n_entries)
{
    uint64_t len = PFS_RECORD_HEADER + (uint64_t)n_entries * PFS_RECORD_ENTRY;

    if (n_entries > PFS_RECORD_ENTRIES_MAX)
        return 0;
    for (unsigned i = 0; i < n_entries; i++) {
        if (entries[i].len > PFS_RECORD_MAX)
            return 0;
        len += padded(entries[i].len);
    }
    return len <= PFS_RECORD_MAX ? (uint32_t)len : 0;
}

void pfs_record_seal_payloads(struct pfs_entry *entries, unsigned n_entries)
{
    for (unsigned i = 0; i < n_entries; i++)
        entries[i].checksum = pfs_checksum(entries[i].data, entries[i].len);
}

void pfs_record_encode(struct pfs_record *rec, struct pfs_entry *entries, unsigned n_entries,
                       void *buf)
{
    uint64_t pos = PFS_RECORD_HEADER + (uint64_t)n_entries * PFS_RECORD_ENTRY;
    unsigned char *table = (unsigned char *)buf + PFS_RECORD_HEADER;
    size_t table_len = (size_t)n_entries * PFS_RECORD_ENTRY;
    unsigned char *h = buf;

    rec->n_entries = (uint16_t)n_entries;
    if (rec->op != PFS_OP_PAD) /* a pad's length is what is left of its segment */
        rec->len = pfs_record_len(entries, n_entries);
    assert(rec->len >= PFS_RECORD_HEADER && rec->len % 8 == 0);

    for (unsigned i = 0; i < n_entries; i++) {
        unsigned char *e = table + (size_t)i * PFS_RECORD_ENTRY;

        e[0] = entries[i].kind;
        e[1] = entries[i].key.type;
        e[2] = entries[i].depth;
        e[3] = 0;
        pfs_put32(e + 4, entries[i].len);
        pfs_put64(e + 8, entries[i].key.a);
        pfs_put64(e + 16, entries[i].key.b);
        pfs_put64(e + 24, entries[i].checksum);
        entries[i].pos = rec->lsn + pos;
        pos += padded(entries[i].len);
    }
    pfs_put64(h + 8, rec->lsn);
    pfs_put64(h + 16, rec->durable);
    pfs_put64(h + 24, rec->time_ns);
    pfs_put64(h + 32, rec->prev);
    pfs_put32(h + 40, rec->len);
    h[44] = PFS_RECORD_VERSION;
    h[45] = rec->op;
    pfs_put16(h + 46, rec->n_entries);
    rec->checksum = pfs_checksum(h + 8, PFS_RECORD_HEADER - 8 + table_len);
    pfs_put64(h, rec->checksum);
}

int pfs_record_decode_header(const void *buf, pfs_lsn lsn, struct pfs_record *rec)
{
    const unsigned char *h = buf;

    rec->checksum = pfs_get64(h);
    rec->lsn = pfs_get64(h + 8);
    rec->durable = pfs_get64(h + 16);
    rec->time_ns = pfs_get64(h + 24);
    rec->prev = pfs_get64(h + 32);
    rec->len = pfs_get32(h + 40);
    rec->op = h[45];
    rec->n_entries = pfs_get16(h + 46);
    if (rec->lsn != lsn)
        return PFS_ETORN;
    if (h[44] != PFS_RECORD_VERSION) /* newer formats announce themselves in the segment's header */
        return PFS_ETORN;
    if (rec->op == PFS_OP_PAD) {
        if (rec->n_entries != 0 || rec->len < PFS_RECORD_HEADER || rec->len % 8 != 0)
            return PFS_ETORN;
        return pfs_checksum(h + 8, PFS_RECORD_HEADER - 8) == rec->checksum ? 0 : PFS_ETORN;
    }
    if (rec->op >= PFS_OP_LIMIT || rec->len > PFS_RECORD_MAX || rec->len % 8 != 0 ||
        rec->n_entries > PFS_RECORD_ENTRIES_MAX ||
        rec->len < PFS_RECORD_HEADER + (uint32_t)rec->n_entries * PFS_RECORD_ENTRY)
        return PFS_ETORN;
    return 0;
}

static int decode_entry(const unsigned char *e, struct pfs_entry *entry)
{
    entry->kind = e[0];
    entry->key.type = e[1];
    entry->depth = e[2];
    entry->len = pfs_get32(e + 4);
    entry->key.a = pfs_get64(e + 8);
    entry->key.b = pfs_get64(e + 16);
    entry->checksum = pfs_get64(e + 24);
    if (entry->kind < PFS_KIND_VALUE || entry->kind > PFS_KIND_DELETE || e[3] != 0)
        return PFS_ETORN;
    if (!pfs_key_type_known(entry->key.type))
        return PFS_ETORN;
    return 0;
}

int pfs_record_decode(const void *buf, const struct pfs_record *rec, struct pfs_entry *entries)
{
    const unsigned char *h = buf;
    uint64_t pos = PFS_RECORD_HEADER + (uint64_t)rec->n_entries * PFS_RECORD_ENTRY;

    if (rec->op == PFS_OP_PAD)
        return 0;
    if (pfs_checksum(h + 8, pos - 8) != rec->checksum)
        return PFS_ETORN;
    for (unsigned i = 0; i < rec->n_entries; i++) {
        if (decode_entry(h + PFS_RECORD_HEADER + (size_t)i * PFS_RECORD_ENTRY, &entries[i]))
            return PFS_ETORN;
        if (entries[i].len > rec->len - pos)
            return PFS_ETORN;
        entries[i].data = h + pos;
        entries[i].pos = rec->lsn + pos;
        if (pfs_checksum(entries[i].data, entries[i].len) != entries[i].checksum)
            return PFS_ETORN;
        pos += padded(entries[i].len);
        if (pos > rec->len)
            return PFS_ETORN;
    }
    return pos == rec->len ? 0 : PFS_ETORN;
}
