/* Creates, looks at, renames and removes many small files, one after the other:
 *
 *     filebench DIRECTORY COUNT
 *
 * prints, a line each, the name of the operation and how many of them were done in a second.
 * The files are spread over directories of 1,000, made in DIRECTORY and removed at the end. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_PER_DIR = 1000, FILE_BYTES = 1024 };

static _Noreturn void fail(const char *what, const char *path)
{
    fprintf(stderr, "filebench: %s %s: %s\n", what, path, strerror(errno));
    exit(EXIT_FAILURE);
}

static void create_file(const char *path)
{
    static const char data[FILE_BYTES] = "a small file";
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

    if (fd < 0 || write(fd, data, sizeof data) != (ssize_t)sizeof data || close(fd) != 0)
        fail("create", path);
}

static void stat_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        fail("stat", path);
    if (st.st_size != FILE_BYTES) {
        fprintf(stderr, "filebench: %s has a size of %lld\n", path, (long long)st.st_size);
        exit(EXIT_FAILURE);
    }
}

/* To a name of the same length, so that the file can be found by the same number afterwards. */
static void rename_file(const char *path)
{
    char target[64];

    snprintf(target, sizeof target, "%s", path);
    *strrchr(target, 'f') = 'g';
    if (rename(path, target) != 0)
        fail("rename", path);
}

static void unlink_file(const char *path)
{
    if (unlink(path) != 0)
        fail("unlink", path);
}

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* One operation on each file; kind is the letter before a file's number. */
static void each_file(const char *name, void (*operation)(const char *), char kind, int count)
{
    double start_s = now_s();

    for (int i = 0; i < count; i++) {
        char path[64];

        snprintf(path, sizeof path, "d%d/%c%d", i / FILES_PER_DIR, kind, i % FILES_PER_DIR);
        operation(path);
    }
    printf("%s %.1f\n", name, count / (now_s() - start_s));
}

static void each_dir(int (*operation)(const char *), const char *name, int count)
{
    for (int i = 0; i < (count + FILES_PER_DIR - 1) / FILES_PER_DIR; i++) {
        char path[64];

        snprintf(path, sizeof path, "d%d", i);
        if (operation(path) != 0)
            fail(name, path);
    }
}

static int make_dir(const char *path)
{
    return mkdir(path, 0755);
}

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[2]) : 0;

    if (count <= 0) {
        fprintf(stderr, "usage: filebench DIRECTORY COUNT\n");
        return EXIT_FAILURE;
    }
    if (chdir(argv[1]) != 0)
        fail("enter", argv[1]);
    each_dir(make_dir, "mkdir", count);
    each_file("create", create_file, 'f', count);
    each_file("stat", stat_file, 'f', count);
    each_file("rename", rename_file, 'f', count);
    each_file("unlink", unlink_file, 'g', count);
    each_dir(rmdir, "rmdir", count);
    return EXIT_SUCCESS;
}
