#include "wal/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

static const unsigned char magic[8] = {'p', 'f', 's', 's', 'e', 'g', '\n', 0};

void pfs_segment_name(char name[PFS_SEGMENT_NAME], const char *dir, pfs_lsn start)
{
    snprintf(name, PFS_SEGMENT_NAME, "%s/%016" PRIx64 ".seg", dir, start);
}

int pfs_segment_parse_name(const struct pfs_segment_id *id, const char *name, pfs_lsn *start_out)
{
    pfs_lsn start = 0;
    int i;

    for (i = 0; i < 16; i++) {
        char c = name[i];

        if (c >= '0' && c <= '9')
            start = start << 4 | (pfs_lsn)(c - '0');
        else if (c >= 'a' && c <= 'f')
            start = start << 4 | (pfs_lsn)(c - 'a' + 10);
        else
            return PFS_EINVAL;
    }
    if (strcmp(name + i, ".seg") != 0 || pfs_segment_offset(id, start) != 0 || start == 0)
        return PFS_EINVAL;
    *start_out = start;
    return 0;
}

void pfs_segment_encode_header(unsigned char buf[PFS_SEGMENT_HEADER],
                               const struct pfs_segment_id *id, pfs_lsn start)
{
    memset(buf, 0, PFS_SEGMENT_HEADER);
    memcpy(buf, magic, sizeof(magic));
    pfs_put32(buf + 8, PFS_SEGMENT_VERSION);
    pfs_put32(buf + 12, id->branch);
    memcpy(buf + 16, id->uuid, 16);
    pfs_put64(buf + 32, start);
    pfs_put64(buf + 40, pfs_checksum(buf, 40));
}

int pfs_segment_check_header(const unsigned char buf[PFS_SEGMENT_HEADER],
                             const struct pfs_segment_id *id, pfs_lsn start, const char *name)
{
    if (memcmp(buf, magic, sizeof(magic)) != 0)
        return pfs_fail(PFS_ECORRUPT, "%s: not a journal segment (bad magic at offset 0)", name);
    if (pfs_checksum(buf, 40) != pfs_get64(buf + 40))
        return pfs_fail(PFS_ECORRUPT, "%s: header checksum mismatch at offset 0", name);
    if (pfs_get32(buf + 8) > PFS_SEGMENT_VERSION)
        return pfs_fail(PFS_EVERSION,
                        "%s: journal format %u is newer than this program knows (%u); "
                        "use a newer pagefs",
                        name, (unsigned)pfs_get32(buf + 8), (unsigned)PFS_SEGMENT_VERSION);
    if (memcmp(buf + 16, id->uuid, 16) != 0)
        return pfs_fail(PFS_ECORRUPT, "%s: belongs to another volume", name);
    if (pfs_get32(buf + 12) != id->branch)
        return pfs_fail(PFS_ECORRUPT, "%s: belongs to branch %u, not %u", name,
                        (unsigned)pfs_get32(buf + 12), (unsigned)id->branch);
    if (pfs_get64(buf + 32) != start)
        return pfs_fail(PFS_ECORRUPT,
                        "%s: holds the journal from LSN %s, not from where its name says", name,
                        pfs_lsn_print(pfs_get64(buf + 32)).s);
    return 0;
}

int pfs_segment_open(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                     pfs_lsn start, int flags, struct pfs_file **out)
{
    unsigned char header[PFS_SEGMENT_HEADER];
    char name[PFS_SEGMENT_NAME];
    struct pfs_file *file;
    uint64_t size;
    int err;

    pfs_segment_name(name, dir, start);
    err = io->ops->open(io, name, flags, &file);
    if (err)
        return err;
    err = io->ops->size(file, &size);
    if (!err && size != PFS_SEGMENT_HEADER + pfs_segment_size(id))
        err = pfs_fail(PFS_ECORRUPT, "%s: %" PRIu64 " bytes long, a segment has %" PRIu64, name,
                       size, PFS_SEGMENT_HEADER + pfs_segment_size(id));
    if (!err)
        err = io->ops->pread(file, header, sizeof(header), 0);
    if (!err)
        err = pfs_segment_check_header(header, id, start, name);
    if (err) {
        io->ops->close(file);
        return err;
    }
    *out = file;
    return 0;
}

struct listing {
    const struct pfs_segment_id *id;
    pfs_lsn *starts;
    unsigned n, cap;
};

static int list_one(void *ctx, const char *name)
{
    struct listing *l = ctx;
    pfs_lsn start;

    if (pfs_segment_parse_name(l->id, name, &start))
        return 0;
    if (l->n == l->cap) {
        unsigned cap = l->cap ? l->cap * 2 : 64;
        pfs_lsn *grown = realloc(l->starts, cap * sizeof(*grown));

        if (!grown)
            return pfs_fail(PFS_ENOMEM, "out of memory listing segments");
        l->starts = grown;
        l->cap = cap;
    }
    l->starts[l->n++] = start;
    return 0;
}

static int cmp_lsn(const void *a, const void *b)
{
    pfs_lsn x = *(const pfs_lsn *)a, y = *(const pfs_lsn *)b;

    return x < y ? -1 : x > y;
}

int pfs_segment_list(struct pfs_io *io, const char *dir, const struct pfs_segment_id *id,
                     pfs_lsn **starts_out, unsigned *n_out)
{
    struct listing l = {.id = id};
    int err = io->ops->list(io, dir, list_one, &l);

    if (err == PFS_ENOENT)
        err = pfs_fail(PFS_ECORRUPT, "%s: the journal's directory is missing", dir);
    if (err) {
        free(l.starts);
        return err;
    }
    if (l.n > 0)
        qsort(l.starts, l.n, sizeof(*l.starts), cmp_lsn);
    *starts_out = l.starts;
    *n_out = l.n;
    return 0;
}
