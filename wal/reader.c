#include "wal/reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

struct pfs_reader {
    struct pfs_io *io;
    char *dir;
    struct pfs_segment_id id;
    pfs_lsn pos;               /* of the next record */
    uint64_t prev;             /* checksum of the last record; 0: not known */
    pfs_lsn loaded;            /* start of the segment in buf; 0: none */
    unsigned char *buf;        /* a segment's journal bytes */
    struct pfs_entry *entries; /* PFS_RECORD_ENTRIES_MAX of them */
};

/* Bring the segment that starts at `start` into buf. */
static int load(struct pfs_reader *r, pfs_lsn start)
{
    struct pfs_file *file;
    int err;

    if (r->loaded == start)
        return 0;
    r->loaded = 0;
    err = pfs_segment_open(r->io, r->dir, &r->id, start, PFS_IO_RDONLY, &file);
    if (err)
        return err;
    err = r->io->ops->pread(file, r->buf, pfs_segment_size(&r->id), PFS_SEGMENT_HEADER);
    r->io->ops->close(file);
    if (!err)
        r->loaded = start;
    return err;
}

int pfs_reader_create(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                      pfs_lsn lsn, uint64_t prev, struct pfs_reader **out)
{
    struct pfs_reader *r = calloc(1, sizeof(*r));

    assert(lsn >= PFS_LSN_FIRST && lsn % 8 == 0);
    if (!r)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    r->io = io;
    r->id = *id;
    r->pos = lsn;
    r->prev = prev;
    r->dir = strdup(dir);
    r->buf = malloc(pfs_segment_size(id));
    r->entries = malloc(PFS_RECORD_ENTRIES_MAX * sizeof(*r->entries));
    if (!r->dir || !r->buf || !r->entries) {
        pfs_reader_destroy(r);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    *out = r;
    return 0;
}

void pfs_reader_destroy(struct pfs_reader *r)
{
    free(r->dir);
    free(r->buf);
    free(r->entries);
    free(r);
}

pfs_lsn pfs_reader_position(const struct pfs_reader *r)
{
    return r->pos;
}

uint64_t pfs_reader_prev(const struct pfs_reader *r)
{
    return r->prev;
}

static int torn(struct pfs_reader *r, const char *why)
{
    char name[PFS_SEGMENT_NAME];

    pfs_segment_name(name, r->dir, pfs_segment_start(&r->id, r->pos));
    return pfs_fail(PFS_ETORN, "%s: %s at offset %" PRIu64 " (LSN %s)", name, why,
                    PFS_SEGMENT_HEADER + pfs_segment_offset(&r->id, r->pos),
                    pfs_lsn_print(r->pos).s);
}

int pfs_reader_next(struct pfs_reader *r, struct pfs_record *rec, struct pfs_entry **entries_out)
{
    for (;;) {
        uint64_t off = pfs_segment_offset(&r->id, r->pos);
        uint64_t left = pfs_segment_size(&r->id) - off;
        int err;

        if (left < PFS_RECORD_HEADER) {
            r->pos += left;
            continue;
        }
        err = load(r, r->pos - off);
        if (err == PFS_ENOENT)
            return torn(r, "no such segment");
        if (err)
            return err;
        if (pfs_record_decode_header(r->buf + off, r->pos, rec) || rec->len > left)
            return torn(r, "no valid record");
        if (r->prev != 0 && rec->prev != r->prev)
            return torn(r, "a record of an older life");
        if (pfs_record_decode(r->buf + off, rec, r->entries))
            return torn(r, "checksum mismatch in the record");
        r->pos += rec->len;
        r->prev = rec->checksum;
        if (rec->op == PFS_OP_PAD)
            continue;
        *entries_out = r->entries;
        return 0;
    }
}

/* Does a good record in the loaded segment, at or behind offset off, show that lsn was durable? */
static bool proves_durable(struct pfs_reader *r, uint64_t off, pfs_lsn lsn)
{
    uint64_t size = pfs_segment_size(&r->id);

    for (; off + PFS_RECORD_HEADER <= size; off += 8) {
        const unsigned char *h = r->buf + off;
        struct pfs_record rec;
        uint64_t len;

        if (pfs_get64(h + 8) != r->loaded + off)
            continue;
        if (pfs_record_decode_header(h, r->loaded + off, &rec))
            continue;
        len = PFS_RECORD_HEADER + (uint64_t)rec.n_entries * PFS_RECORD_ENTRY;
        if (off + len > size || pfs_checksum(h + 8, len - 8) != rec.checksum)
            continue;
        if (rec.durable > lsn)
            return true;
    }
    return false;
}

int pfs_reader_check_tail(struct pfs_reader *r)
{
    char name[PFS_SEGMENT_NAME];
    pfs_lsn *starts, bad = r->pos;
    unsigned n;
    int err = pfs_segment_list(r->io, r->dir, &r->id, &starts, &n);

    if (err)
        return err;
    for (unsigned i = 0; i < n && !err; i++) {
        if (starts[i] + pfs_segment_size(&r->id) <= bad)
            continue;
        err = load(r, starts[i]);
        if (!err && proves_durable(r, starts[i] < bad ? bad - starts[i] : 0, bad)) {
            pfs_segment_name(name, r->dir, pfs_segment_start(&r->id, bad));
            err = pfs_fail(
                PFS_ECORRUPT,
                "%s: damaged or missing at offset %" PRIu64 " (LSN %s): records behind it "
                "show that it had been made durable",
                name, PFS_SEGMENT_HEADER + pfs_segment_offset(&r->id, bad), pfs_lsn_print(bad).s);
        }
    }
    free(starts);
    return err;
}
