#include "fs/mount/signals.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define WAKE SIGUSR1 /* to the thread in the loop: look whether the session has ended */
#define QUIT SIGUSR2 /* to the thread here */

static void ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, QUIT);
}

static void do_nothing(int sig)
{
    (void)sig;
}

void pfs_signals_block(void)
{
    struct sigaction wake = {.sa_handler = do_nothing};
    sigset_t set;

    ending_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(WAKE, &wake, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void *wait_for_signals(void *arg)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct pfs_signals *s = arg;
    sigset_t set;
    int sig;

    ending_signals(&set);
    do {
        sig = sigwaitinfo(&set, NULL);
        if (atomic_load(&s->ended))
            return NULL;
    } while (sig <= 0 || sig == QUIT);
    pfs_log_info("mount", "%s: unmounting", strsignal(sig));
    atomic_store(&s->caught, sig);
    fuse_session_exit(s->se);
    /* The loop looks at the session, then sleeps: a wake-up that comes between is lost, hence again
     * and again. */
    while (!atomic_load(&s->ended)) {
        pthread_kill(s->main, WAKE);
        sigtimedwait(&set, NULL, &pause);
    }
    return NULL;
}

int pfs_signals_start(struct pfs_signals *s, struct fuse_session *se)
{
    int errnum;

    s->main = pthread_self();
    s->se = se;
    atomic_init(&s->ended, false);
    atomic_init(&s->caught, 0);
    errnum = pthread_create(&s->thread, NULL, wait_for_signals, s);
    return errnum ? pfs_fail_errno(errnum, "starting the thread for signals") : 0;
}

int pfs_signals_stop(struct pfs_signals *s)
{
    atomic_store(&s->ended, true);
    pthread_kill(s->thread, QUIT);
    pthread_join(s->thread, NULL);
    return atomic_load(&s->caught);
}
