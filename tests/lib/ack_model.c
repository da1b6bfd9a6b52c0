#include "tests/lib/ack_model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const ack_op_names[] = {"-",        "create", "write",  "append",
                                    "truncate", "unlink", "rename", "link"};

_Noreturn void ack_die(const char *what)
{
    printf("# ackcheck: %s: %s\n", what, strerror(errno));
    exit(2);
}

uint64_t ack_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* ---- content --------------------------------------------------------------------------------- */

void ack_fill(unsigned char *at, uint32_t thread, uint32_t k, uint32_t index)
{
    uint64_t w[UNIT / 8] = {(uint64_t)index << 32 | k, thread};

    for (size_t i = 2; i < UNIT / 8; i++)
        w[i] = ack_mix(w[i - 1] + ack_mix(w[0]));
    memcpy(at, w, UNIT);
}

uint32_t ack_writer_of(const unsigned char *at, uint32_t thread, uint32_t index)
{
    static const unsigned char zeros[UNIT];
    unsigned char want[UNIT];
    uint32_t k;

    if (memcmp(at, zeros, UNIT) == 0)
        return 0;
    memcpy(&k, at, sizeof(k));
    ack_fill(want, thread, k, index);
    return k && memcmp(at, want, UNIT) == 0 ? k : BAD_UNIT;
}

void ack_name(char *out, size_t size, uint32_t thread, uint32_t name)
{
    snprintf(out, size, "t%u/%c/f%u", thread, name < NAMES / 2 ? 'a' : 'b', name);
}

/* ---- the model ------------------------------------------------------------------------------- */

struct file *ack_file(struct model *m, uint32_t name)
{
    return m->name[name] < 0 ? NULL : &m->files[m->name[name]];
}

static void drop_name(struct model *m, uint32_t name)
{
    if (m->name[name] >= 0)
        m->files[m->name[name]].links--;
    m->name[name] = -1;
}

void ack_apply(struct model *m, const struct note *op)
{
    struct file *f = ack_file(m, op->name);

    switch (op->op) {
    case OP_CREATE:
        for (int i = 0; i < NAMES; i++)
            if (m->files[i].links == 0) {
                m->name[op->name] = i;
                break;
            }
        f = ack_file(m, op->name);
        memset(f, 0, sizeof(*f));
        f->links = 1;
        break;
    case OP_WRITE:
    case OP_APPEND:
        for (uint32_t u = op->off / UNIT; u < (op->off + op->len) / UNIT; u++)
            f->unit[u] = op->k;
        if (op->off + op->len > f->size)
            f->size = op->off + op->len;
        break;
    case OP_TRUNCATE:
        memset(f->unit + op->len / UNIT, 0, (MAX_UNITS - op->len / UNIT) * sizeof(f->unit[0]));
        f->size = op->len;
        break;
    case OP_UNLINK:
        drop_name(m, op->name);
        break;
    case OP_RENAME:
        drop_name(m, op->to);
        m->name[op->to] = m->name[op->name];
        m->name[op->name] = -1;
        break;
    case OP_LINK:
        m->name[op->to] = m->name[op->name];
        f->links++;
        break;
    }
    f->last_op = op->k;
}

static void settle(struct model *m, const struct note *n)
{
    for (size_t i = 0; i < m->pending_count && m->pending[i].k <= n->k; i++) {
        if (m->pending[i].k == n->k && n->len)
            m->pending[i].len = n->len;
        ack_apply(m, &m->pending[i]);
    }
    m->pending_count = 0;
    m->settled = m->acked = n->k;
}

static void take_note(struct ack_log *log, const struct note *n)
{
    struct model *m = log->models[n->thread];

    switch (n->type) {
    case NOTE_BEGIN:
        if (m->pending_count == m->pending_room) {
            m->pending_room = m->pending_room * 2 + 64;
            m->pending = realloc(m->pending, m->pending_room * sizeof(*n));
            if (!m->pending)
                ack_die("memory");
        }
        m->pending[m->pending_count++] = *n;
        m->last = n->k;
        break;
    case NOTE_FAILED:
        m->pending_count--;
        break;
    case NOTE_ACK:
        if (n->k > m->acked)
            m->acked = n->k;
        break;
    case NOTE_SETTLED:
        settle(m, n);
        break;
    }
}

void ack_log_open(struct ack_log *log, const char *path)
{
    static struct note notes[4096];
    ssize_t n;

    log->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log->fd < 0)
        ack_die(path);
    for (int t = 0; t < THREADS; t++) {
        log->models[t] = calloc(1, sizeof(*log->models[t]));
        if (!log->models[t])
            ack_die("memory");
        for (int i = 0; i < NAMES; i++)
            log->models[t]->name[i] = -1;
    }
    while ((n = read(log->fd, notes, sizeof(notes))) > 0)
        for (size_t i = 0; i < (size_t)n / sizeof(notes[0]); i++)
            if (notes[i].thread < THREADS)
                take_note(log, &notes[i]);
    if (n < 0)
        ack_die(path);
}

void ack_log_close(struct ack_log *log)
{
    for (int t = 0; t < THREADS; t++) {
        free(log->models[t]->pending);
        free(log->models[t]);
    }
    close(log->fd);
}

void ack_log_write(const struct ack_log *log, const struct note *n)
{
    if (write(log->fd, n, sizeof(*n)) != (ssize_t)sizeof(*n))
        ack_die("the log");
}
