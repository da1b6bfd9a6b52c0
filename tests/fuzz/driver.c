/* Runs a fuzz target on stored inputs, without libFuzzer:
 *
 *     fuzz_X FILE|DIRECTORY...
 *
 * Each input is one line of TAP on standard output. The empty input is always tried first, so a
 * target without a corpus is still a test. An input is handed over in a block of exactly its size,
 * so that AddressSanitizer sees a read past its end. */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int inputs;
static int failed;

static void report(const char *path, const char *error)
{
    inputs++;
    if (error) {
        failed++;
        printf("not ok %d - %s: %s\n", inputs, path, error);
    } else {
        printf("ok %d - %s\n", inputs, path);
    }
    fflush(stdout); /* what was done before a crash is seen */
}

static void replay_bytes(const char *path, const uint8_t *data, size_t size)
{
    printf("# %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    report(path, NULL);
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);

    if (!file || !data)
        report(path, strerror(errno));
    else if (fread(data, 1, size, file) != size)
        report(path, "short read");
    else
        replay_bytes(path, data, size);
    free(data);
    if (file)
        fclose(file);
}

static void replay(const char *path);

static void replay_directory(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);

    if (count < 0) {
        report(path, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char child[PATH_MAX];
        int len = snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);

        if (names[i]->d_name[0] == '.')
            ; /* the directory itself, its parent, hidden files */
        else if (len < 0 || (size_t)len >= sizeof child)
            report(path, "a name in it is too long");
        else
            replay(child);
        free(names[i]);
    }
    free(names);
}

static void replay(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        report(path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        replay_directory(path);
    else
        replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];

    replay_bytes("(empty)", nothing, 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0 && errno == ENOENT)
            printf("# %s: no stored inputs\n", argv[i]);
        else
            replay(argv[i]);
    }
    printf("1..%d\n", inputs);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
