#include "tests/lib/ack_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DIFFERENCES = 12 };

/* The files of one thread, as they are. */
struct found {
    bool there;
    ino_t ino;
    nlink_t links;
    uint32_t size;
    uint32_t unit[MAX_UNITS];
};

static bool read_found(int dir_fd, uint32_t thread, uint32_t name, struct found *f)
{
    static unsigned char buf[MAX_SIZE + UNIT];
    char path[32];
    struct stat st;
    ssize_t n = -1;
    int fd;

    ack_name(path, sizeof(path), thread, name);
    memset(f, 0, sizeof(*f));
    fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 || fstat(fd, &st) < 0 || (n = pread(fd, buf, sizeof(buf), 0)) < 0)
        printf("# %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    if (n != st.st_size || n > MAX_SIZE || n % UNIT) {
        printf("# %s: read %zd bytes, and its size is %lld\n", path, n, (long long)st.st_size);
        return false;
    }
    f->there = true;
    f->ino = st.st_ino;
    f->links = st.st_nlink;
    f->size = (uint32_t)n;
    for (uint32_t u = 0; u < f->size / UNIT; u++)
        f->unit[u] = ack_writer_of(buf + (size_t)u * UNIT, thread, u);
    return true;
}

/* Names that nobody made. */
static bool no_others(int dir_fd, uint32_t thread)
{
    bool fine = true;
    char path[32];

    for (uint32_t d = 0; d < 2; d++) {
        DIR *dir;
        int fd;

        snprintf(path, sizeof(path), "t%u/%c", thread, "ab"[d]);
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            char *end = e->d_name;
            unsigned long name = *end == 'f' ? strtoul(end + 1, &end, 10) : NAMES;

            if (e->d_name[0] != '.' && (*end || name / (NAMES / 2) != d)) {
                printf("# %s/%s: nobody made it\n", path, e->d_name);
                fine = false;
            }
        }
        if (dir)
            closedir(dir);
    }
    return fine;
}

/* Where what is there differs from the model, told if `tell`. */
static unsigned differences(struct model *m, const struct found *found, uint32_t thread, bool tell)
{
    unsigned count = 0;
    char path[32];

    for (uint32_t i = 0; i < NAMES && count < MAX_DIFFERENCES; i++) {
        const struct file *f = ack_file(m, i);
        const struct found *g = &found[i];
        const char *what = NULL;

        ack_name(path, sizeof(path), thread, i);
        if (!f != !g->there)
            what = f ? "is missing" : "is there and must not be";
        else if (!f)
            continue;
        else if (f->size != g->size)
            what = "has another size";
        else if ((nlink_t)f->links != g->links)
            what = "has another number of links";
        for (uint32_t j = 0; j < i && f && !what; j++)
            if (m->name[j] >= 0 && (m->name[j] == m->name[i]) != (found[j].ino == g->ino))
                what = "is linked to the wrong file";
        if (what) {
            count++;
            if (tell)
                printf("#   %s %s (%u bytes, and must be %u)\n", path, what, g->size,
                       f ? f->size : 0);
            continue;
        }
        for (uint32_t u = 0; u < MAX_UNITS && count < MAX_DIFFERENCES; u++) {
            if (f->unit[u] == g->unit[u])
                continue;
            count++;
            if (!tell)
                break;
            printf("#   %s at %u: written by operation %" PRId32 ", and must be by %u\n", path,
                   u * UNIT, (int32_t)g->unit[u], f->unit[u]);
            while (u % (BLOCK / UNIT) < BLOCK / UNIT - 1)
                u++;
        }
    }
    return count;
}

/* An aligned block of which a single write is there in part. */
static void tell_torn(const struct model *m, const struct found *found, uint32_t thread)
{
    const uint32_t units = BLOCK / UNIT;
    char path[32];

    for (size_t i = 0; i < m->pending_count; i++) {
        const struct note *op = &m->pending[i];

        if (op->op != OP_WRITE || op->off % BLOCK || op->len % BLOCK)
            continue;
        for (uint32_t name = 0; name < NAMES; name++)
            for (uint32_t u = op->off / UNIT; u < (op->off + op->len) / UNIT; u += units) {
                uint32_t there = 0;

                for (uint32_t j = 0; j < units; j++)
                    there += found[name].unit[u + j] == op->k;
                if (there == 0 || there == units)
                    continue;
                ack_name(path, sizeof(path), thread, name);
                printf("#   %s: of operation %u, %u of the %u bytes at %u are there\n", path, op->k,
                       there * UNIT, BLOCK, u * UNIT);
            }
    }
}

static void tell_moment(const struct model *m, const struct note *op)
{
    printf("#  after operation %u, %s f%u", op->k, ack_op_names[op->op], op->name);
    if (op->op == OP_RENAME || op->op == OP_LINK)
        printf(" to f%u", op->to);
    else
        printf(" %u+%u", op->off, op->len);
    printf("%s:\n", op->k == m->acked ? ", the last acknowledged one" : "");
}

/* Is there a part of this operation, and nothing else wrong? */
static bool is_partly(struct model *m, const struct note *op, const struct found *found,
                      uint32_t thread, struct note *moment)
{
    struct note part = *op;

    if (ack_is_atomic(op) || op->k <= m->acked)
        return false;
    for (uint32_t cut = op->off / ACK_PAGE + 1; cut * ACK_PAGE < op->off + op->len; cut++) {
        part.len = cut * ACK_PAGE - op->off;
        ack_apply(m, &part);
        if (differences(m, found, thread, false) == 0) {
            *moment = part;
            return true;
        }
    }
    return false;
}

/* The operation after which the files were as they are, with the length of what is there of it;
 * false if there is none. */
static bool find_moment(struct model *m, const struct found *found, uint32_t thread, bool tell,
                        struct note *moment)
{
    *moment = (struct note){.k = m->settled};
    if (m->settled == m->acked && differences(m, found, thread, tell) == 0)
        return true;
    for (size_t i = 0; i < m->pending_count; i++) {
        const struct note *op = &m->pending[i];

        if (is_partly(m, op, found, thread, moment))
            return true;
        ack_apply(m, op);
        *moment = (struct note){.k = op->k};
        if (op->k < m->acked)
            continue;
        if (tell)
            tell_moment(m, op);
        if (differences(m, found, thread, tell) == 0)
            return true;
    }
    return false;
}

bool ack_verify(struct ack_log *log, const char *log_path, int dir_fd)
{
    static struct found found[THREADS][NAMES];
    struct note moment[THREADS];
    bool bad[THREADS], any = false;
    unsigned long acked = 0, begun = 0, there = 0;

    for (uint32_t t = 0; t < THREADS; t++) {
        struct model *m = log->models[t];
        bool readable = no_others(dir_fd, t);

        for (uint32_t i = 0; i < NAMES; i++)
            readable = read_found(dir_fd, t, i, &found[t][i]) && readable;
        for (size_t i = 0; i < m->pending_count; i++)
            m->pending[i].k <= m->acked ? acked++ : begun++;
        bad[t] = !find_moment(m, found[t], t, false, &moment[t]) || !readable;
        any = any || bad[t];
        for (size_t i = 0; i < m->pending_count && !bad[t]; i++)
            there += m->pending[i].k > m->acked && m->pending[i].k <= moment[t].k;
    }
    for (uint32_t t = 0; t < THREADS && !any; t++) {
        moment[t].type = NOTE_SETTLED;
        moment[t].thread = (uint16_t)t;
        ack_log_write(log, &moment[t]);
    }
    if (!any) {
        printf("acknowledged=%lu begun=%lu there=%lu\n", acked, begun, there);
        return true;
    }
    /* Told from the beginning, for the models have moved on. */
    ack_log_close(log);
    ack_log_open(log, log_path);
    for (uint32_t t = 0; t < THREADS; t++) {
        struct model *m = log->models[t];

        if (!bad[t])
            continue;
        printf("# t%u is in no state that it may be in; settled %u, acknowledged %u, begun %u\n", t,
               m->settled, m->acked, m->last);
        find_moment(m, found[t], t, true, &moment[t]);
        tell_torn(m, found[t], t);
    }
    return false;
}
