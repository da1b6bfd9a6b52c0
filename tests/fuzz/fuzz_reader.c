/* Any bytes as a journal of two small segments: read to its end and searched for damage behind it.
 * The first byte says whether records are made of the bytes, chained as they should be. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/mend_record.h"
#include "tests/lib/memio.c" /* fuzz targets are linked with the library alone */
#include "wal/reader.h"

#define SEGMENT  1024
#define SEGMENTS 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pfs_segment_id id = {.branch = 1, .size = SEGMENT};

static void mend(unsigned char *segment, pfs_lsn start, uint64_t *prev)
{
    uint32_t off = 0;

    while (off + PFS_RECORD_HEADER <= SEGMENT) {
        uint32_t len = mend_record(segment + off, SEGMENT - off, start + off, *prev);

        if (len < PFS_RECORD_HEADER || len % 8 != 0 || len > SEGMENT - off)
            return;
        *prev = pfs_get64(segment + off);
        off += len;
    }
}

static void put_segments(struct pfs_io *io, const uint8_t *data, size_t size, int flags)
{
    uint64_t prev = 0;

    for (int i = 0; i < SEGMENTS; i++) {
        unsigned char file[PFS_SEGMENT_HEADER + SEGMENT] = {0};
        pfs_lsn start = PFS_LSN_FIRST + (pfs_lsn)i * SEGMENT;
        size_t part = size < SEGMENT ? size : SEGMENT;
        char name[PFS_SEGMENT_NAME];

        pfs_segment_encode_header(file, &id, start);
        if (part > 0)
            memcpy(file + PFS_SEGMENT_HEADER, data, part);
        data += part;
        size -= part;
        if (flags & 1)
            mend(file + PFS_SEGMENT_HEADER, start, &prev);
        if ((flags & 2) && i == 0 && part > 0)
            file[data[-1] % 64] ^= 1; /* a header that was damaged */
        pfs_segment_name(name, "j", start);
        if (!((flags & 4) && i == SEGMENTS - 1))
            memio_put(io, name, file, sizeof(file));
    }
}

static void read_to_end(struct pfs_io *io)
{
    struct pfs_entry *entries;
    struct pfs_reader *reader;
    struct pfs_record rec;
    pfs_lsn end = PFS_LSN_FIRST;
    int err;

    if (pfs_reader_create(io, "j", &id, PFS_LSN_FIRST, 0, &reader))
        abort();
    while ((err = pfs_reader_next(reader, &rec, &entries)) == 0) {
        assert(rec.lsn >= end && rec.lsn + rec.len == pfs_reader_position(reader));
        assert(rec.op != PFS_OP_PAD);
        end = pfs_reader_position(reader);
        assert(end <= PFS_LSN_FIRST + SEGMENTS * SEGMENT);
    }
    assert(err == PFS_ETORN || err == PFS_ECORRUPT || err == PFS_EVERSION);
    assert(pfs_err_message()[0]);
    if (err == PFS_ETORN)
        err = pfs_reader_check_tail(reader);
    assert(err == 0 || err == PFS_ECORRUPT || err == PFS_EVERSION);
    pfs_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pfs_io *io = memio_create();

    if (size > 0)
        put_segments(io, data + 1, size - 1, data[0]);
    read_to_end(io);
    io->ops->destroy(io);
    return 0;
}
