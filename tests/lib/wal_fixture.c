#include "tests/lib/wal_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/layer_model.h"

#define ENTRIES_MAX 6

/* The entries of a record, and room for their payloads. */
struct content {
    struct pfs_entry entries[ENTRIES_MAX];
    unsigned n;
    unsigned char data[ENTRIES_MAX][8192];
};

static void fill(struct content *c, const struct wal_record *rec)
{
    uint64_t r = rec->seed;

    c->n = rec->exact ? 1 : (unsigned)(model_random(&r) % ENTRIES_MAX);
    for (unsigned i = 0; i < c->n; i++) {
        uint8_t kind = (uint8_t)(PFS_KIND_VALUE + model_random(&r) % 4);
        uint32_t room = rec->max_payload / c->n;
        uint32_t len = rec->exact ? rec->exact : (uint32_t)(model_random(&r) % (room + 1));

        assert_in_range(len, 0, sizeof(c->data[0]));
        for (uint32_t k = 0; k < len; k++)
            c->data[i][k] = (unsigned char)(model_random(&r) % 255 + 1);
        c->entries[i] =
            (struct pfs_entry){.key = pfs_key(PFS_KEY_PAGE, model_random(&r), model_random(&r)),
                               .kind = kind,
                               .depth = (uint8_t)(rec->seed % 17),
                               .len = len,
                               .data = c->data[i]};
    }
}

void wal_init(struct wal *w, uint32_t segment_size)
{
    memset(w, 0, sizeof(*w));
    w->io = memio_create();
    w->id = (struct pfs_segment_id){.branch = 7, .size = segment_size};
    memcpy(w->id.uuid, "0123456789abcdef", 16);
    assert_int_equal(w->io->ops->mkdir(w->io, WAL_DIR), 0);
    assert_int_equal(pfs_journal_create(w->io, WAL_DIR, &w->id), 0);
    wal_open(w, 0);
}

void wal_close(struct wal *w)
{
    if (w->journal)
        pfs_journal_close(w->journal);
    w->journal = NULL;
}

void wal_release(struct wal *w)
{
    wal_close(w);
    w->io->ops->destroy(w->io);
}

static pfs_lsn first_lsn(const struct wal *w)
{
    return w->n ? w->records[0].from : PFS_LSN_FIRST;
}

void wal_open(struct wal *w, unsigned n_records)
{
    struct pfs_journal_open how = {
        .io = w->io, .dir = WAL_DIR, .id = w->id, .start = first_lsn(w), .durable = PFS_LSN_FIRST};
    struct pfs_reader *reader;
    struct pfs_entry *entries;
    struct pfs_record rec;

    assert_null(w->journal);
    assert_int_equal(pfs_reader_create(w->io, WAL_DIR, &w->id, how.start, 0, &reader), 0);
    for (unsigned i = 0; i < n_records; i++)
        assert_int_equal(pfs_reader_next(reader, &rec, &entries), 0);
    how.end = pfs_reader_position(reader);
    how.prev = pfs_reader_prev(reader);
    pfs_reader_destroy(reader);
    assert_int_equal(pfs_journal_open(&how, &w->journal), 0);
    w->n = n_records;
}

static int append(struct wal *w, uint64_t seed, uint32_t max_payload, uint32_t exact)
{
    static struct content c;
    struct wal_record *rec = &w->records[w->n];
    int err;

    assert_in_range(w->n, 0, WAL_RECORDS_MAX - 1);
    *rec = (struct wal_record){.seed = seed, .max_payload = max_payload, .exact = exact};
    fill(&c, rec);
    pfs_record_seal_payloads(c.entries, c.n);
    rec->from = pfs_journal_end(w->journal);
    rec->durable = pfs_journal_durable(w->journal);
    err = pfs_journal_append(w->journal, PFS_OP_WRITE, c.entries, c.n, &rec->end);
    if (err)
        return err;
    rec->lsn = rec->end - pfs_record_len(c.entries, c.n);
    assert_int_equal(pfs_journal_end(w->journal), rec->end);
    w->n++;
    return 0;
}

int wal_append(struct wal *w, uint64_t seed, uint32_t max_payload)
{
    return append(w, seed, max_payload, 0);
}

void wal_add(struct wal *w, uint64_t seed, uint32_t max_payload)
{
    int err = wal_append(w, seed, max_payload);

    if (err)
        fail_msg("append: %s", pfs_err_message());
}

void wal_add_len(struct wal *w, uint64_t seed, uint32_t len)
{
    assert_int_equal(append(w, seed, 0, len), 0);
}

static void compare(const struct wal *w, unsigned i, const struct pfs_record *rec,
                    const struct pfs_entry *entries)
{
    static struct content c;
    const struct wal_record *want = &w->records[i];

    fill(&c, want);
    assert_int_equal(rec->lsn, want->lsn);
    assert_int_equal(rec->lsn + rec->len, want->end);
    assert_int_equal(rec->durable, want->durable);
    assert_int_equal(rec->op, PFS_OP_WRITE);
    assert_int_equal(rec->n_entries, c.n);
    for (unsigned k = 0; k < c.n; k++) {
        assert_int_equal(pfs_key_cmp(&entries[k].key, &c.entries[k].key), 0);
        assert_int_equal(entries[k].kind, c.entries[k].kind);
        assert_int_equal(entries[k].depth, c.entries[k].depth);
        assert_int_equal(entries[k].len, c.entries[k].len);
        assert_memory_equal(entries[k].data, c.entries[k].data, c.entries[k].len);
    }
}

int wal_read(struct wal *w, unsigned from, unsigned *n_out, struct pfs_reader **reader_out)
{
    pfs_lsn start = from ? w->records[from].from : first_lsn(w);
    struct pfs_entry *entries;
    struct pfs_record rec;
    int err;

    *n_out = 0;
    assert_int_equal(pfs_reader_create(w->io, WAL_DIR, &w->id, start, 0, reader_out), 0);
    while ((err = pfs_reader_next(*reader_out, &rec, &entries)) == 0) {
        assert_in_range(from + *n_out, 0, w->n - 1); /* no more than was appended */
        compare(w, from + (*n_out)++, &rec, entries);
    }
    return err;
}

int wal_verdict(struct wal *w, unsigned from, unsigned *n_out)
{
    struct pfs_reader *reader;
    int err = wal_read(w, from, n_out, &reader);

    if (err == PFS_ETORN)
        err = pfs_reader_check_tail(reader);
    pfs_reader_destroy(reader);
    return err;
}

unsigned char *wal_byte(struct wal *w, pfs_lsn lsn)
{
    char name[PFS_SEGMENT_NAME];
    unsigned char *bytes;
    size_t len;

    pfs_segment_name(name, WAL_DIR, pfs_segment_start(&w->id, lsn));
    bytes = memio_bytes(w->io, name, &len);
    assert_non_null(bytes);
    return bytes + PFS_SEGMENT_HEADER + pfs_segment_offset(&w->id, lsn);
}

unsigned wal_count_segments(struct wal *w)
{
    pfs_lsn *starts;
    unsigned n;

    assert_int_equal(pfs_segment_list(w->io, WAL_DIR, &w->id, &starts, &n), 0);
    free(starts);
    return n;
}
