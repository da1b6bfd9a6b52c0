#include "fs/mount/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/mount/fuse_api.h"

#define PARKED_MAX  16 /* threads kept for the next burst */
#define BUSY_STREAK 32 /* requests found waiting in a row: another reader is worth its wake-up */
#define SPIN_PAYS   32 /* of 256: the share of looks that must find something */
#define SPIN_RETRY  32 /* sleeps after which looking is tried again */

struct loop {
    struct fuse_session *se;
    int fd;
    int stop_fd; /* readable when it is time to stop */
    unsigned max_threads, max_readers;
    uint64_t spin_ns;

    pthread_mutex_t mu;
    pthread_cond_t wanted; /* a reader is wanted, or it is time to stop */
    pthread_cond_t gone;   /* a thread has ended */
    unsigned threads;      /* guarded by mu, as all below */
    unsigned parked;
    unsigned readers; /* that hold a turn */
    unsigned turns;   /* how many may be held */
    bool stop;
    int error;
};

/* What a thread of the loop knows of itself. */
struct worker {
    struct loop *loop;
    bool has_turn;
    unsigned streak;   /* requests found waiting in a row */
    unsigned spin_won; /* moving share of looks that found something, of 256 */
    unsigned slept;    /* sleeps since looking was last tried */
};

static _Thread_local struct worker *self;

static void *work(void *arg);

/* Have a parked thread, or a new one, take the free turn. Holds mu. */
static void want_reader(struct loop *l)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (l->parked > 0) {
        pthread_cond_signal(&l->wanted);
        return;
    }
    if (l->threads == l->max_threads || l->stop)
        return; /* whoever is done with its request takes it */
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    l->threads++;
    if (pthread_create(&thread, &attr, work, l)) {
        l->threads--;
        if (l->threads == 0)
            l->error = pfs_fail(PFS_ENOMEM, "cannot start a thread");
    }
    pthread_attr_destroy(&attr);
}

/* The thread is about to wait. */
static void hand_on(void *arg)
{
    struct worker *w = arg;
    struct loop *l = w->loop;

    pthread_mutex_lock(&l->mu);
    w->has_turn = false;
    l->readers--;
    want_reader(l);
    pthread_mutex_unlock(&l->mu);
}

/* Wait for a turn. False: time to end. */
static bool take_turn(struct worker *w)
{
    struct loop *l = w->loop;

    if (w->has_turn)
        return !fuse_session_exited(l->se);
    pthread_mutex_lock(&l->mu);
    if (l->readers >= l->turns && l->parked >= PARKED_MAX) {
        pthread_mutex_unlock(&l->mu);
        return false;
    }
    l->parked++;
    while (l->readers >= l->turns && !l->stop)
        pthread_cond_wait(&l->wanted, &l->mu);
    l->parked--;
    if (!l->stop) {
        l->readers++;
        w->has_turn = true;
    }
    pthread_mutex_unlock(&l->mu);
    return w->has_turn && !fuse_session_exited(l->se);
}

/* One more may read. */
static void add_turn(struct loop *l)
{
    pthread_mutex_lock(&l->mu);
    if (l->turns < l->max_readers && l->readers == l->turns) {
        l->turns++;
        want_reader(l);
    }
    pthread_mutex_unlock(&l->mu);
}

/* There is nothing to read: if others read too, this one need not. */
static bool drop_turn(struct worker *w)
{
    struct loop *l = w->loop;

    pthread_mutex_lock(&l->mu);
    if (l->readers > 1) {
        l->readers--;
        l->turns = l->readers;
        w->has_turn = false;
    }
    pthread_mutex_unlock(&l->mu);
    return !w->has_turn;
}

static ssize_t try_read(struct worker *w, int fd, void *buf, size_t size)
{
    ssize_t n = read(fd, buf, size);

    if (n < 0 && errno == EAGAIN) {
        w->streak = 0;
    } else if (++w->streak >= BUSY_STREAK) {
        w->streak = 0;
        add_turn(w->loop);
    }
    return n;
}

/* Look again for a while; whoever else wants the CPU gets it. */
static ssize_t spin(struct worker *w, int fd, void *buf, size_t size)
{
    uint64_t until = pfs_mono_ns() + w->loop->spin_ns;
    ssize_t n;

    w->slept = 0;
    do {
        sched_yield();
        n = read(fd, buf, size);
    } while (n < 0 && errno == EAGAIN && pfs_mono_ns() < until);
    w->spin_won -= w->spin_won / 8;
    if (n >= 0)
        w->spin_won += 32;
    return n;
}

ssize_t pfs_loop_read(int fd, void *buf, size_t size)
{
    struct worker *w = self;
    ssize_t n;

    if (!w)
        return read(fd, buf, size);
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = w->loop->stop_fd, .events = POLLIN}};

        n = try_read(w, fd, buf, size);
        if (n >= 0 || errno != EAGAIN)
            return n;
        if (w->loop->spin_ns && (w->spin_won >= SPIN_PAYS || ++w->slept >= SPIN_RETRY)) {
            n = spin(w, fd, buf, size);
            if (n >= 0 || errno != EAGAIN)
                return n;
        }
        if (fuse_session_exited(w->loop->se) || drop_turn(w)) {
            errno = EINTR;
            return -1;
        }
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -1;
    }
}

static void serve_one(struct worker *w, struct fuse_buf *buf)
{
    int n = fuse_session_receive_buf(w->loop->se, buf);

    if (n > 0) {
        pfs_blocking_expect(hand_on, w);
        fuse_session_process_buf(w->loop->se, buf);
        pfs_blocking_expect(NULL, NULL);
    } else if (n != -EINTR && n != -EAGAIN) {
        if (n < 0)
            pfs_log_error("mount", "reading requests failed with errno %d", -n);
        fuse_session_exit(w->loop->se);
    }
}

static void *work(void *arg)
{
    struct loop *l = arg;
    struct worker w = {.loop = l, .spin_won = 128};
    struct fuse_buf buf = {0};

    self = &w;
    while (take_turn(&w))
        serve_one(&w, &buf);
    self = NULL;
    free(buf.mem);
    pthread_mutex_lock(&l->mu);
    if (w.has_turn)
        l->readers--;
    if (fuse_session_exited(l->se) && !l->stop) {
        l->stop = true;
        (void)!eventfd_write(l->stop_fd, 1);
        pthread_cond_broadcast(&l->wanted);
    }
    l->threads--;
    pthread_cond_broadcast(&l->gone);
    pthread_mutex_unlock(&l->mu);
    return NULL;
}

static void stop_all(struct loop *l)
{
    pthread_mutex_lock(&l->mu);
    l->stop = true;
    (void)!eventfd_write(l->stop_fd, 1);
    pthread_cond_broadcast(&l->wanted);
    while (l->threads > 0)
        pthread_cond_wait(&l->gone, &l->mu);
    pthread_mutex_unlock(&l->mu);
}

int pfs_loop_run(struct fuse_session *se, unsigned max_threads, unsigned spin_us)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct loop l = {.se = se,
                     .fd = fuse_session_fd(se),
                     .max_threads = max_threads,
                     .max_readers = cpus > 1 ? (unsigned)cpus : 1,
                     .spin_ns = cpus > 1 ? (uint64_t)spin_us * 1000 : 0,
                     .mu = PTHREAD_MUTEX_INITIALIZER,
                     .wanted = PTHREAD_COND_INITIALIZER,
                     .gone = PTHREAD_COND_INITIALIZER,
                     .turns = 1};
    struct pollfd stop = {.events = POLLIN};
    int flags = fcntl(l.fd, F_GETFL);

    if (flags < 0 || fcntl(l.fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return pfs_fail_errno(errno, "the FUSE descriptor can't be made non-blocking");
    l.stop_fd = stop.fd = eventfd(0, EFD_CLOEXEC);
    if (l.stop_fd < 0)
        return pfs_fail_errno(errno, "eventfd");
    pthread_mutex_lock(&l.mu);
    want_reader(&l);
    pthread_mutex_unlock(&l.mu);
    while (!fuse_session_exited(se) && !l.error) {
        if (poll(&stop, 1, -1) < 0 && errno != EINTR)
            break;
    }
    stop_all(&l);
    close(l.stop_fd);
    return l.error;
}
