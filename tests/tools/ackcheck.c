/* What was acknowledged must be there, whatever was killed:
 *
 *     ackcheck write DIR LOG SEED SECONDS    works in DIR with several threads, until the time is
 *                                            over, the mount gone, or SIGTERM comes
 *     ackcheck verify DIR LOG                compares, after a remount, DIR with what LOG demands
 *     ackcheck forge LOG                     claims a write that never was; verify must then fail
 *
 * Each thread works in a directory of its own. Before an operation it notes in LOG what it is about
 * to do, and after the sync that makes it durable (and not before) that this was acknowledged. So a
 * thread's operations are a sequence, and after a crash its files must be what they were after one
 * of them: the last acknowledged one or a later one, with nothing of those behind it. This includes
 * that no operation is half there, but for unaligned writes, which the kernel divides at boundaries
 * of pages: of the last one the first part may be there. The content of every 64 bytes says which
 * operation wrote it.
 *
 * verify notes in LOG which operation that was, and the next `write` goes on from there: LOG tells
 * the whole life of the volume. It must be on another filesystem than DIR. A full disk (ENOSPC) is
 * noted too: that operation must have had no effect. Exit code 0 if all is well, 1 if not. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/ack_model.h"

static struct ack_log log_of;
static int dir_fd = -1;
static atomic_bool failed, told_to_end;
static double end_time;
static uint64_t seed;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- write ----------------------------------------------------------------------------------- */

struct worker {
    pthread_t id;
    uint32_t thread;
    uint64_t rng;
    struct model *m;
    unsigned char *buf;
    unsigned long done, acks, refused;
};

static uint32_t below(struct worker *w, uint32_t n)
{
    w->rng = ack_mix(w->rng);
    return n ? (uint32_t)(w->rng >> 33) % n : 0;
}

/* A name that is taken, or one that is free; -1 if there is none. */
static int pick(struct worker *w, bool taken)
{
    uint32_t from = below(w, NAMES);

    for (uint32_t i = 0; i < NAMES; i++)
        if ((w->m->name[(from + i) % NAMES] >= 0) == taken)
            return (int)((from + i) % NAMES);
    return -1;
}

/* The next operation; false if this one can't be made now. */
static bool choose(struct worker *w, struct note *op)
{
    uint32_t dice = below(w, 100);
    int name = pick(w, dice >= 8), to = pick(w, below(w, 2));
    struct file *f;

    *op = (struct note){.type = NOTE_BEGIN, .thread = (uint16_t)w->thread, .k = w->m->last + 1};
    if (name < 0)
        return false;
    op->name = (uint32_t)name;
    f = ack_file(w->m, op->name);
    if (dice < 8) {
        op->op = OP_CREATE;
    } else if (dice < 60) {
        op->op = OP_WRITE;
        op->len = BLOCK * (below(w, 3) ? 1 : 1 + below(w, 8));
        op->off = BLOCK * below(w, (MAX_SIZE - op->len) / BLOCK + 1);
        if (below(w, 5) == 0) {
            op->len = UNIT * (1 + below(w, 200));
            op->off = UNIT * below(w, (MAX_SIZE - op->len) / UNIT + 1);
        }
    } else if (dice < 75) {
        op->op = OP_APPEND;
        op->off = f->size;
        op->len = UNIT * (1 + below(w, 100));
        return op->off + op->len <= MAX_SIZE;
    } else if (dice < 81) {
        op->op = OP_TRUNCATE;
        op->len = below(w, 3) ? f->size / UNIT / 2 * UNIT : UNIT * below(w, MAX_UNITS + 1);
    } else if (dice < 86) {
        op->op = OP_UNLINK;
    } else {
        op->op = dice < 95 ? OP_RENAME : OP_LINK;
        if (to < 0 || to == name)
            return false;
        op->to = (uint32_t)to;
        if (op->op == OP_LINK)
            return w->m->name[to] < 0;
        return w->m->name[to] != w->m->name[name];
    }
    return true;
}

static int sync_dir(uint32_t thread, uint32_t name)
{
    char path[32];
    int fd, code;

    snprintf(path, sizeof(path), "t%u/%c", thread, name < NAMES / 2 ? 'a' : 'b');
    fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    code = fsync(fd);
    close(fd);
    return code;
}

/* A full disk may end it in the midst; then it was a shorter one. */
static int write_all(struct worker *w, int fd, struct note *op)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < op->len / UNIT; i++)
        ack_fill(w->buf + (size_t)i * UNIT, w->thread, op->k, op->off / UNIT + i);
    while (done < op->len) {
        ssize_t n = pwrite(fd, w->buf + done, op->len - done, op->off + done);

        if (n < 0)
            break;
        done += (uint32_t)n;
        if (n == 0 || n % UNIT || (done < op->len && ack_is_atomic(op))) {
            printf("# t%u f%u: wrote %zd of %u bytes\n", w->thread, op->name, n, op->len);
            failed = true;
            errno = EIO;
            return -1;
        }
    }
    if (done == op->len)
        return 0;
    if (done == 0 || errno != ENOSPC)
        return -1;
    op->type = NOTE_FAILED;
    ack_log_write(&log_of, op);
    op->type = NOTE_BEGIN;
    op->len = done;
    ack_log_write(&log_of, op);
    return 0;
}

/* With *synced, also what makes it durable; *synced is false then if only that failed. */
static int perform(struct worker *w, struct note *op, bool *synced)
{
    char path[32], to[32];
    int fd = -1, flags = O_RDWR | O_CLOEXEC;
    bool wanted = *synced;

    *synced = false;
    ack_name(path, sizeof(path), w->thread, op->name);
    ack_name(to, sizeof(to), w->thread, op->to);
    if (op->op <= OP_TRUNCATE) {
        if (op->op == OP_CREATE)
            flags |= O_CREAT | O_EXCL;
        if (op->op == OP_APPEND)
            flags |= O_APPEND | (wanted ? O_DSYNC : 0);
        fd = openat(dir_fd, path, flags, 0644);
        if (fd < 0)
            return -1;
    }
    switch (op->op) {
    case OP_WRITE:
    case OP_APPEND:
        if (write_all(w, fd, op) < 0)
            goto fail;
        *synced = wanted && (op->op == OP_APPEND || (below(w, 2) ? fsync : fdatasync)(fd) == 0);
        break;
    case OP_CREATE:
        *synced = wanted && fsync(fd) == 0 && sync_dir(w->thread, op->name) == 0;
        break;
    case OP_TRUNCATE:
        if (ftruncate(fd, op->len) < 0)
            goto fail;
        *synced = wanted && fsync(fd) == 0;
        break;
    case OP_UNLINK:
        if (unlinkat(dir_fd, path, 0) < 0)
            return -1;
        *synced = wanted && sync_dir(w->thread, op->name) == 0;
        break;
    case OP_RENAME:
        if (renameat(dir_fd, path, dir_fd, to) < 0)
            return -1;
        *synced = wanted && sync_dir(w->thread, op->to) == 0 && sync_dir(w->thread, op->name) == 0;
        break;
    case OP_LINK:
        if (linkat(dir_fd, path, dir_fd, to, 0) < 0)
            return -1;
        *synced = wanted && sync_dir(w->thread, op->to) == 0;
        break;
    }
    if (fd >= 0)
        close(fd);
    return 0;
fail:
    flags = errno;
    close(fd);
    errno = flags;
    return -1;
}

/* A daemon that is killed while it takes a request leaves EIO behind: the kernel's answer when it
 * can't hand the request over. The mount is gone a moment later, or else the error is real. */
static bool mount_ends(void)
{
    const struct timespec nap = {0, 10 * 1000 * 1000};
    struct statfs st;

    for (int i = 0; i < 50; i++) {
        if (fstatfs(dir_fd, &st) < 0 && (errno == ENOTCONN || errno == ECONNABORTED))
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

/* A full disk is part of the game, as is the end of the mount. */
static bool goes_on(struct worker *w, const struct note *op, bool was_done)
{
    char path[32];
    int error = errno;

    if (error == ENOSPC) {
        struct timespec nap = {0, 20 * 1000 * 1000};

        w->refused++;
        nanosleep(&nap, NULL);
        return true;
    }
    if (error != ENOTCONN && error != ECONNABORTED && !(error == EIO && mount_ends())) {
        ack_name(path, sizeof(path), w->thread, op->name);
        printf("# %s %s%s: %s\n", ack_op_names[op->op], path, was_done ? ", its sync" : "",
               strerror(error));
        failed = true;
    }
    return false;
}

static void acknowledge(struct worker *w, uint32_t k)
{
    struct note ack = {.type = NOTE_ACK, .thread = (uint16_t)w->thread, .k = k};

    ack_log_write(&log_of, &ack);
    w->acks++;
}

/* What was written to one file and not synced then, is now. */
static bool sync_later(struct worker *w)
{
    int name = pick(w, true);
    char path[32];
    int fd;
    struct note op = {.name = (uint32_t)name};
    bool fine;

    if (name < 0)
        return true;
    ack_name(path, sizeof(path), w->thread, op.name);
    fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    fine = fd >= 0 && fsync(fd) == 0 && sync_dir(w->thread, op.name) == 0;
    if (fine)
        acknowledge(w, ack_file(w->m, op.name)->last_op);
    else if (!goes_on(w, &op, true))
        return false;
    if (fd >= 0)
        close(fd);
    return true;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct note op;

    while (now() < end_time && !failed && !told_to_end) {
        bool synced = below(w, 5) < 3;

        if (below(w, 12) == 0 && !sync_later(w))
            break;
        if (!choose(w, &op))
            continue;
        ack_log_write(&log_of, &op);
        w->m->last = op.k;
        errno = 0;
        if (perform(w, &op, &synced) < 0) {
            if (!goes_on(w, &op, false))
                break;
            op.type = NOTE_FAILED;
            ack_log_write(&log_of, &op);
            continue;
        }
        ack_apply(w->m, &op);
        w->done++;
        if (synced)
            acknowledge(w, op.k);
        else if (errno && !goes_on(w, &op, true))
            break;
    }
    return NULL;
}

/* The directories of the threads; false if the mount was gone before they were there. */
static bool make_dirs(void)
{
    static const char *const format[] = {"t%d", "t%d/a", "t%d/b"};
    char path[32];

    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof(path), format[i], t);
            if (mkdirat(dir_fd, path, 0755) == 0 || errno == EEXIST)
                continue;
            if (errno == ENOTCONN || errno == ECONNABORTED)
                return false;
            ack_die(path);
        }
    return true;
}

static void on_term(int sig)
{
    (void)sig;
    told_to_end = true;
}

static int do_write(const char *dir, double seconds)
{
    struct sigaction sa = {.sa_handler = on_term, .sa_flags = SA_RESTART};
    static struct worker workers[THREADS];
    unsigned long done = 0, acks = 0, refused = 0;

    for (int t = 0; t < THREADS; t++)
        if (log_of.models[t]->pending_count) {
            printf("# ackcheck: what the log holds must be verified first\n");
            return 2;
        }
    end_time = now() + seconds;
    sigaction(SIGTERM, &sa, NULL);
    printf("works in %s\n", dir);
    fflush(stdout);
    if (!make_dirs())
        return 0;
    for (int t = 0; t < THREADS; t++) {
        struct worker *w = &workers[t];

        w->thread = (uint32_t)t;
        w->m = log_of.models[t];
        w->rng = ack_mix(seed * THREADS + (uint64_t)t) ^ w->m->last;
        w->buf = malloc(MAX_SIZE);
        if (!w->buf)
            ack_die("memory");
        memset(w->buf, 1, MAX_SIZE);
        if (pthread_create(&w->id, NULL, work, w) != 0)
            ack_die("a thread");
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(workers[t].id, NULL);
        done += workers[t].done;
        acks += workers[t].acks;
        refused += workers[t].refused;
        free(workers[t].buf);
    }
    printf("done=%lu acknowledged=%lu refused=%lu\n", done, acks, refused);
    return failed ? 1 : 0;
}

/* ---- forge ----------------------------------------------------------------------------------- */

static int do_forge(void)
{
    for (uint32_t t = 0; t < THREADS; t++)
        for (uint32_t i = 0; i < NAMES; i++) {
            struct note n = {.type = NOTE_BEGIN, .op = OP_WRITE, .thread = (uint16_t)t, .name = i};

            if (log_of.models[t]->name[i] < 0)
                continue;
            n.k = log_of.models[t]->last + 1;
            n.len = BLOCK;
            ack_log_write(&log_of, &n);
            n.type = NOTE_ACK;
            ack_log_write(&log_of, &n);
            return 0;
        }
    printf("# ackcheck: the log knows no file\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    bool is_write = strcmp(command, "write") == 0 && argc == 6;
    bool is_verify = strcmp(command, "verify") == 0 && argc == 4;
    bool is_forge = strcmp(command, "forge") == 0 && argc == 3;
    int code;

    if (!is_write && !is_verify && !is_forge) {
        fprintf(stderr, "usage: ackcheck write DIR LOG SEED SECONDS\n"
                        "       ackcheck verify DIR LOG\n"
                        "       ackcheck forge LOG\n");
        return 2;
    }
    ack_log_open(&log_of, argv[is_forge ? 2 : 3]);
    if (!is_forge)
        dir_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (is_forge) {
        code = do_forge();
    } else if (dir_fd < 0 && is_write && (errno == ENOTCONN || errno == ECONNABORTED)) {
        code = 0; /* the kill was faster */
    } else if (dir_fd < 0) {
        ack_die(argv[2]);
    } else if (is_verify) {
        code = ack_verify(&log_of, argv[3], dir_fd) ? 0 : 1;
    } else {
        seed = strtoull(argv[4], NULL, 10);
        code = do_write(argv[2], strtod(argv[5], NULL));
    }
    ack_log_close(&log_of);
    return code;
}
