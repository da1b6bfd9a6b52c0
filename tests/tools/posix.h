/* Cases of what POSIX and Linux's manual pages say of a filesystem. Each posix_*.c has a table of
 * them and is called as
 *
 *     posix_X list                   the cases' names
 *     posix_X DIRECTORY CASE         one, in that directory, as root
 *
 * A case that finds something else than it must says what and where, and ends with 1. */
#ifndef POSIX_H
#define POSIX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct posix_case {
    const char *name;
    void (*run)(void);
};

#define MUST(what)                                                                                 \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if (!(what)) {                                                                             \
            printf("%s:%d: not so: %s (errno %d: %s)\n", __FILE__, __LINE__, #what, errno,         \
                   strerror(errno));                                                               \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* The call fails with that errno. */
#define FAILS(wanted, call)                                                                        \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if ((call) != -1 || errno != (wanted)) {                                                   \
            printf("%s:%d: %s: %s instead of %s\n", __FILE__, __LINE__, #call, strerror(errno),    \
                   strerror(wanted));                                                              \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

enum { USER = 12345, OTHER = 23456 }; /* some that aren't root */

static inline void touch(const char *path, mode_t mode)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, mode);

    MUST(fd >= 0 && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static inline void put(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

    MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static inline bool holds(const char *path, const char *text)
{
    char buf[256] = "";
    int fd = open(path, O_RDONLY);
    bool same = fd >= 0 && read(fd, buf, sizeof(buf) - 1) == (ssize_t)strlen(text) &&
                strcmp(buf, text) == 0;

    if (fd >= 0)
        close(fd);
    return same;
}

static inline struct stat look(const char *path)
{
    struct stat st;

    MUST(lstat(path, &st) == 0);
    return st;
}

static inline bool missing(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 && errno == ENOENT;
}

/* Until the clock of file times has certainly moved on. */
static inline void tick(void)
{
    usleep(15000);
}

static inline bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static inline bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Run it in another process, as somebody else (0: still root); it must come to its end. */
static inline void as(uid_t uid, gid_t gid, void (*run)(void))
{
    int status;
    pid_t id = fork();

    MUST(id >= 0);
    if (id == 0) {
        if (uid || gid)
            MUST(setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
                 setresuid(uid, uid, uid) == 0);
        run();
        fflush(stdout);
        _exit(0);
    }
    MUST(waitpid(id, &status, 0) == id);
    if (status != 0)
        exit(1);
}

static inline int posix_main(int argc, char **argv, const struct posix_case *cases, size_t n)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < n; i++)
            puts(cases[i].name);
        return 0;
    }
    for (size_t i = 0; argc == 3 && i < n; i++)
        if (strcmp(argv[2], cases[i].name) == 0) {
            umask(022);
            if (chdir(argv[1]) != 0) {
                perror(argv[1]);
                return 2;
            }
            cases[i].run();
            return 0;
        }
    fprintf(stderr, "usage: %s list | DIRECTORY CASE\n", argv[0]);
    return 2;
}

#endif
