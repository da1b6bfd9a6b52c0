#include "fs/mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#define EXIT_SYSTEM    2
#define EXIT_INTERRUPT 8
#define REPORT_MAX     2048

/* What the child sends: a byte, its exit code, then the message. */

static volatile sig_atomic_t interrupted_child;

static void end_child(int sig)
{
    (void)sig;
    kill(interrupted_child, SIGTERM);
}

static _Noreturn void wait_for_report(pid_t child, int fd)
{
    struct sigaction sa = {.sa_handler = end_child};
    unsigned char report[REPORT_MAX + 1];
    size_t len = 0;
    ssize_t n;
    int status = 0;

    interrupted_child = child;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    do {
        n = read(fd, report + len, REPORT_MAX - len);
        if (n > 0)
            len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (len == 0) {
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            fprintf(stderr, "%s: the daemon was ended by signal %d (%s)\n",
                    program_invocation_short_name, WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            fprintf(stderr, "%s: the daemon ended without a word\n", program_invocation_short_name);
        exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? EXIT_INTERRUPT : EXIT_SYSTEM);
    }
    report[len] = '\0';
    if (len > 1)
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, (char *)report + 1);
    exit(report[0]);
}

/* With syslog stderr still is the user's until the mount is ready: fusermount3 writes there. */
static int redirect_log(struct pfs_daemon *d)
{
    if (d->log_fd < 0) {
        pfs_log_to_syslog(program_invocation_short_name);
        return 0;
    }
    if (dup2(d->log_fd, STDERR_FILENO) < 0)
        return pfs_fail_errno(errno, "log file");
    return 0;
}

/* Descriptors that a shell or a test harness left open would keep its pipes from ending. */
static void close_inherited(struct pfs_daemon *d, int keep_fd)
{
    const int keep[] = {d->report_fd, d->log_fd, keep_fd};
    const int max = (int)sysconf(_SC_OPEN_MAX);
    int from = STDERR_FILENO + 1, to;

    while (from < max) {
        to = max;
        for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
            if (keep[i] >= from && keep[i] < to)
                to = keep[i];
        if (to > from)
            close_range((unsigned)from, (unsigned)to - 1, 0);
        from = to + 1;
    }
}

int pfs_daemon_start(struct pfs_daemon *d, int log_fd, int keep_fd)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return pfs_fail_errno(errno, "pipe");
    fflush(NULL);
    child = fork();
    if (child < 0) {
        close(fds[0]);
        close(fds[1]);
        return pfs_fail_errno(errno, "fork");
    }
    if (child > 0) {
        close(fds[1]);
        wait_for_report(child, fds[0]);
    }
    close(fds[0]);
    setsid();
    *d = (struct pfs_daemon){.report_fd = fds[1], .log_fd = log_fd};
    close_inherited(d, keep_fd);
    return redirect_log(d);
}

static void report(struct pfs_daemon *d, int exit_code, const char *message)
{
    char text[REPORT_MAX];
    int len;

    if (d->report_fd < 0)
        return;
    len = snprintf(text, sizeof(text), "%c%s", exit_code, message);
    if (len >= (int)sizeof(text))
        len = sizeof(text) - 1;
    if (write(d->report_fd, text, (size_t)len) != len)
        pfs_log_warn("mount", "whoever started the mount is gone");
    close(d->report_fd);
    d->report_fd = -1;
}

void pfs_daemon_ready(struct pfs_daemon *d)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        if (d->log_fd < 0)
            dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO)
            close(null);
    }
    if (chdir("/") != 0)
        pfs_log_warn("mount", "chdir /: %s", strerror(errno));
    report(d, 0, "");
}

void pfs_daemon_failed(struct pfs_daemon *d, int exit_code, const char *message)
{
    report(d, exit_code, message);
}
