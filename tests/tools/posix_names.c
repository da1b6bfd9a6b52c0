/* Names: making, linking, renaming and removing them, their lengths, directories being read. */
#include "tests/tools/posix.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

static int rename2(const char *from, const char *to, unsigned flags)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void kinds(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};

    umask(0);
    touch("file", 0640);
    MUST(mkdir("dir", 01750) == 0 && mkfifo("fifo", 0604) == 0 && symlink("file", "sym") == 0);
    MUST(mknod("char", S_IFCHR | 0600, 0x103) == 0 && mknod("block", S_IFBLK | 0600, 0x702) == 0);
    MUST(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof(address)) == 0);
    MUST(look("file").st_mode == (S_IFREG | 0640) && look("dir").st_mode == (S_IFDIR | 01750));
    MUST(look("fifo").st_mode == (S_IFIFO | 0604) && S_ISSOCK(look("socket").st_mode));
    MUST(S_ISCHR(look("char").st_mode) && look("char").st_rdev == 0x103);
    MUST(S_ISBLK(look("block").st_mode) && look("block").st_rdev == 0x702);
    MUST(S_ISLNK(look("sym").st_mode) && look("sym").st_size == 4);
    FAILS(EEXIST, mkdir("file", 0700));
    FAILS(EEXIST, symlink("x", "sym"));
    FAILS(EEXIST, mknod("fifo", S_IFREG | 0600, 0));
    FAILS(EEXIST, open("dir", O_CREAT | O_EXCL | O_RDONLY, 0600));
    FAILS(EISDIR, open("dir", O_WRONLY));
    FAILS(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
    FAILS(ELOOP, open("sym", O_RDONLY | O_NOFOLLOW));
    FAILS(ENOTDIR, mkdir("file/below", 0700));
    FAILS(ENOTDIR, rmdir("file"));
    FAILS(EISDIR, unlink("dir"));
    FAILS(EINVAL, rmdir("dir/."));
    FAILS(ENXIO, open("socket", O_RDWR));
}

static void lengths(void)
{
    char name[258], target[4097], path[5000] = "";
    ssize_t n;

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    FAILS(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0600));
    FAILS(ENAMETOOLONG, mkdir(name, 0700));
    FAILS(ENAMETOOLONG, unlink(name));
    touch("x", 0600);
    FAILS(ENAMETOOLONG, rename("x", name));
    FAILS(ENAMETOOLONG, link("x", name));
    name[255] = '\0';
    touch(name, 0600);
    MUST(rename(name, "y") == 0 && link("y", name) == 0 && unlink(name) == 0);
    memset(target, 't', sizeof(target));
    target[4096] = '\0';
    FAILS(ENAMETOOLONG, symlink(target, "sym"));
    target[4095] = '\0';
    MUST(symlink(target, "sym") == 0);
    n = readlink("sym", path, sizeof(path));
    MUST(n == 4095 && memcmp(path, target, 4095) == 0);
    FAILS(ENOENT, symlink("", "empty"));
    /* 4095 bytes of path are fine, one more is too many. */
    path[0] = '\0';
    for (int i = 0; i < 20; i++) {
        strcat(path, "a/");
        MUST(mkdir(path, 0700) == 0);
    }
    while (strlen(path) < 4095)
        strcat(path, "./");
    path[4094] = 'f';
    path[4095] = '\0';
    touch(path, 0600);
    strcat(path, "f");
    FAILS(ENAMETOOLONG, open(path, O_RDONLY));
    /* A name is bytes. */
    touch("\xff\x01\n\xc3\x28", 0600);
    MUST(unlink("\xff\x01\n\xc3\x28") == 0);
}

static void loops(void)
{
    char name[16], next[16];

    MUST(symlink("b", "a") == 0 && symlink("a", "b") == 0);
    FAILS(ELOOP, open("a", O_RDONLY));
    FAILS(ELOOP, mkdir("a/x", 0700));
    FAILS(ELOOP, truncate("b", 0));
    touch("end", 0600);
    for (int i = 0; i < 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(next, sizeof(next), "l%d", i - 1);
        MUST(symlink(i ? next : "end", name) == 0);
    }
    MUST(access("l39", F_OK) == 0);
    FAILS(ELOOP, access("l40", F_OK));
}

static void links(void)
{
    struct stat before;

    put("a", "text");
    before = look("a");
    tick();
    MUST(link("a", "b") == 0);
    MUST(look("b").st_ino == before.st_ino && look("a").st_nlink == 2);
    MUST(later(look("a").st_ctim, before.st_ctim) && same_time(look("a").st_mtim, before.st_mtim));
    FAILS(EEXIST, link("a", "b"));
    MUST(mkdir("d", 0700) == 0);
    FAILS(EPERM, link("d", "e"));
    MUST(symlink("a", "s") == 0 && link("s", "s2") == 0);
    MUST(S_ISLNK(look("s2").st_mode) && look("s").st_nlink == 2);
    MUST(linkat(AT_FDCWD, "s", AT_FDCWD, "t", AT_SYMLINK_FOLLOW) == 0 && look("a").st_nlink == 3);
    tick();
    before = look("a");
    MUST(unlink("b") == 0);
    MUST(later(look("a").st_ctim, before.st_ctim) && look("a").st_nlink == 2);
    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "l%d", i);
        MUST(link("a", name) == 0);
    }
    MUST(look("a").st_nlink == 1002 && holds("l999", "text"));
    FAILS(EXDEV, link("a", "/dev/shm/pagefs-posix-a"));
    FAILS(EXDEV, rename("a", "/dev/shm/pagefs-posix-a"));
}

static void directory_links(void)
{
    MUST(mkdir("d", 0700) == 0 && look("d").st_nlink == 2);
    MUST(mkdir("d/a", 0700) == 0 && mkdir("d/b", 0700) == 0 && look("d").st_nlink == 4);
    touch("d/f", 0600);
    MUST(look("d").st_nlink == 4);
    MUST(mkdir("e", 0700) == 0 && rename("d/a", "e/a") == 0);
    MUST(look("d").st_nlink == 3 && look("e").st_nlink == 3);
    MUST(look("e/a/..").st_ino == look("e").st_ino);
    MUST(rename2("e/a", "d/f", RENAME_EXCHANGE) == 0);
    MUST(look("d").st_nlink == 4 && look("e").st_nlink == 2 && S_ISREG(look("e/a").st_mode));
    MUST(mkdir("e/over", 0700) == 0 && rename("d/b", "e/over") == 0);
    MUST(look("d").st_nlink == 3 && look("e").st_nlink == 3);
    FAILS(ENOTEMPTY, rmdir("d"));
    MUST(rmdir("d/f") == 0 && rmdir("d") == 0 && missing("d"));
}

static void renaming(void)
{
    struct stat before, dir;

    put("a", "one");
    put("b", "two");
    before = look("a");
    tick();
    MUST(rename("a", "b") == 0 && missing("a") && holds("b", "one"));
    MUST(look("b").st_ino == before.st_ino && later(look("b").st_ctim, before.st_ctim));
    MUST(link("b", "c") == 0 && rename("b", "c") == 0 && !missing("b")); /* one file: nothing */
    MUST(rename("b", "b") == 0);
    FAILS(ENOENT, rename("none", "x"));
    MUST(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0 && mkdir("empty", 0700) == 0);
    FAILS(EINVAL, rename("d", "d/e/f"));
    FAILS(ENOTEMPTY, rename("empty", "d"));
    FAILS(ENOTEMPTY, rename("d/e", "d"));
    FAILS(EISDIR, rename("b", "empty"));
    FAILS(ENOTDIR, rename("d", "b"));
    FAILS(EBUSY, rename("d/.", "x"));
    FAILS(ENOTDIR, rename("b", "x/"));
    dir = look("d");
    tick();
    MUST(rename("d", "empty") == 0 && look("empty").st_ino == dir.st_ino && !missing("empty/e"));
    dir = look(".");
    tick();
    MUST(rename("empty", "d") == 0 && later(look(".").st_mtim, dir.st_mtim));
    FAILS(EEXIST, rename2("b", "c", RENAME_NOREPLACE));
    MUST(rename2("b", "new", RENAME_NOREPLACE) == 0 && missing("b"));
    FAILS(ENOENT, rename2("new", "none", RENAME_EXCHANGE));
    FAILS(EINVAL, rename2("new", "d", RENAME_EXCHANGE | RENAME_NOREPLACE));
    FAILS(EINVAL, rename2("d", "d/e", RENAME_EXCHANGE));
    MUST(rename2("new", "d", RENAME_EXCHANGE) == 0);
    MUST(S_ISDIR(look("new").st_mode) && holds("d", "one") && !missing("new/e"));
}

/* Whoever looks for the name while it is replaced finds the old file or the new one. */
static void replaced_while_open(void)
{
    pid_t writer;
    int status;

    put("f", "0000000000");
    writer = fork();
    MUST(writer >= 0);
    if (writer == 0) {
        for (int i = 0; i < 1500; i++) {
            char text[11];

            memset(text, '0' + i % 10, 10);
            text[10] = '\0';
            put("t", text);
            MUST(rename("t", "f") == 0);
        }
        _exit(0);
    }
    while (waitpid(writer, &status, WNOHANG) == 0) {
        char buf[16];
        struct stat st;
        int fd = open("f", O_RDONLY);

        MUST(fd >= 0 && read(fd, buf, sizeof(buf)) == 10);
        for (int i = 1; i < 10; i++)
            MUST(buf[i] == buf[0]);
        MUST(close(fd) == 0 && stat("f", &st) == 0 && access("f", R_OK) == 0);
        MUST(chmod("f", 0600) == 0 && utimensat(AT_FDCWD, "f", NULL, 0) == 0);
        fd = open("f", O_RDWR | O_CREAT, 0600);
        MUST(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 10 && close(fd) == 0);
    }
    MUST(status == 0);
}

static void unlinked_open(void)
{
    struct stat st;
    char buf[16];
    int fd, path_fd;

    put("f", "hello");
    fd = open("f", O_RDWR);
    path_fd = open("f", O_PATH);
    MUST(fd >= 0 && path_fd >= 0 && unlink("f") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
    put("f", "another");
    MUST(pwrite(fd, "HE", 2, 0) == 2 && pread(fd, buf, 16, 0) == 5 && memcmp(buf, "HEllo", 5) == 0);
    MUST(ftruncate(fd, 100) == 0 && fchmod(fd, 0400) == 0 && fsync(fd) == 0);
    MUST(fstat(fd, &st) == 0 && st.st_size == 100 && st.st_mode == (S_IFREG | 0400));
    snprintf(buf, sizeof(buf), "/dev/fd/%d", fd);
    MUST(close(open(buf, O_RDONLY)) == 0);
    MUST(close(fd) == 0 && holds("f", "another"));
    /* Nobody has it open any more, and yet it can be: by O_PATH. */
    snprintf(buf, sizeof(buf), "/dev/fd/%d", path_fd);
    fd = open(buf, O_RDONLY);
    MUST(fd >= 0 && pread(fd, buf, 5, 0) == 5 && memcmp(buf, "HEllo", 5) == 0);
    MUST(rename("f", "g") == 0 && close(fd) == 0 && close(path_fd) == 0);
}

static void removed_directory(void)
{
    struct stat st;

    MUST(mkdir("d", 0700) == 0 && chdir("d") == 0 && rmdir("../d") == 0);
    MUST(stat(".", &st) == 0 && st.st_nlink == 0);
    FAILS(ENOENT, open("f", O_CREAT | O_WRONLY, 0600));
    FAILS(ENOENT, mkdir("e", 0700));
    FAILS(ENOENT, symlink("a", "b"));
    FAILS(ENOENT, rename("../none", "f"));
    MUST(close(open(".", O_RDONLY | O_DIRECTORY)) == 0);
}

static void directory_times(void)
{
    const char *steps[] = {"create", "link", "rename", "unlink", "mkdir", "rmdir", "symlink"};

    MUST(mkdir("d", 0700) == 0);
    for (int i = 0; i < 7; i++) {
        struct stat before = look("d");
        int r = -1;

        tick();
        switch (i) {
        case 0:
            r = close(open("d/a", O_CREAT | O_WRONLY, 0600));
            break;
        case 1:
            r = link("d/a", "d/b");
            break;
        case 2:
            r = rename("d/b", "d/c");
            break;
        case 3:
            r = unlink("d/c");
            break;
        case 4:
            r = mkdir("d/e", 0700);
            break;
        case 5:
            r = rmdir("d/e");
            break;
        default:
            r = symlink("x", "d/s");
        }
        MUST(r == 0);
        if (!later(look("d").st_mtim, before.st_mtim) ||
            !later(look("d").st_ctim, before.st_ctim)) {
            printf("%s leaves the directory's times\n", steps[i]);
            exit(1);
        }
    }
}

/* Entries that stay are seen once, whatever comes and goes meanwhile. */
static void reading_while_changing(void)
{
    enum { N = 3000 };
    static unsigned char seen[N];
    struct dirent *entry;
    char name[32];
    DIR *dir;
    int n = 0;

    MUST(mkdir("d", 0700) == 0);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "d/%c%d", i % 2 ? 'k' : 'g', i);
        touch(name, 0600);
    }
    dir = opendir("d");
    MUST(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        int i = atoi(entry->d_name + 1);

        if (entry->d_name[0] == 'k')
            seen[i]++;
        snprintf(name, sizeof(name), "d/g%d", n * 2 % N);
        unlink(name);
        snprintf(name, sizeof(name), "d/n%d", n);
        if (n++ < N)
            touch(name, 0600);
    }
    for (int i = 1; i < N; i += 2)
        MUST(seen[i] == 1);
    rewinddir(dir);
    snprintf(name, sizeof(name), "d/last");
    touch(name, 0600);
    rewinddir(dir);
    n = 0;
    while ((entry = readdir(dir)) != NULL)
        n += strcmp(entry->d_name, "last") == 0;
    MUST(n == 1);
    /* Each position leads back to its entry. */
    rewinddir(dir);
    for (int i = 0; i < 200; i++) {
        long at = telldir(dir);
        ino_t ino = 0;

        entry = readdir(dir);
        MUST(entry != NULL);
        ino = entry->d_ino;
        MUST(readdir(dir) != NULL);
        seekdir(dir, at);
        entry = readdir(dir);
        MUST(entry && entry->d_ino == ino);
    }
    MUST(closedir(dir) == 0);
}

static void change_names(unsigned seed)
{
    time_t end = time(NULL) + 2;

    srandom(seed);
    while (time(NULL) < end) {
        char a[32], b[32];

        snprintf(a, sizeof(a), "%ld/%ld", random() % 3, random() % 9);
        snprintf(b, sizeof(b), "%ld/%ld", random() % 3, random() % 9);
        switch (random() % 8) {
        case 0:
            close(open(a, O_CREAT | O_WRONLY, 0600));
            break;
        case 1:
            unlink(a);
            break;
        case 2:
            mkdir(a, 0700);
            break;
        case 3:
            rmdir(a);
            break;
        case 4:
            rename2(a, b, RENAME_EXCHANGE);
            break;
        case 5:
            strcat(b, "/x");
            rename(a, b);
            break;
        case 6:
            if (link(a, b) != 0)
                rename(a, b);
            break;
        default:
            rename(a, b);
        }
    }
    _exit(0);
}

/* Several processes change the same few names, across directories: no deadlock. That the tree is
 * whole afterwards, `pagefs check` says. */
static void many_at_once(void)
{
    MUST(mkdir("0", 0700) == 0 && mkdir("1", 0700) == 0 && mkdir("2", 0700) == 0);
    for (unsigned i = 0; i < 5; i++)
        if (fork() == 0)
            change_names(i);
    while (wait(NULL) > 0)
        ;
}

int main(int argc, char **argv)
{
    static const struct posix_case cases[] = {
        {"kinds", kinds},
        {"lengths", lengths},
        {"loops", loops},
        {"links", links},
        {"directory-links", directory_links},
        {"renaming", renaming},
        {"replaced-while-open", replaced_while_open},
        {"unlinked-open", unlinked_open},
        {"removed-directory", removed_directory},
        {"directory-times", directory_times},
        {"reading-while-changing", reading_while_changing},
        {"many-at-once", many_at_once},
    };

    return posix_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
