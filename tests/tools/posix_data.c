/* What is in files: holes, truncation, mappings, direct I/O, appending, locks. */
#include "tests/tools/posix.h"

#include <limits.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

enum { PAGE = 4096 };

static bool zeros(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static int new_file(const char *name)
{
    int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);

    MUST(fd >= 0);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st;

    MUST(fstat(fd, &st) == 0);
    return st.st_size;
}

static void sparse(void)
{
    const off_t tib = (off_t)1 << 40;
    unsigned char buf[64];
    struct stat st;
    int fd = new_file("f");

    MUST(pwrite(fd, "one", 3, 0) == 3 && pwrite(fd, "two", 3, 5 * tib) == 3);
    MUST(pwrite(fd, "end", 3, 16 * tib - 3) == 3 && size_of(fd) == 16 * tib);
    MUST(fstat(fd, &st) == 0 && st.st_blocks * 512 < 1 << 20);
    MUST(pread(fd, buf, 64, 3 * tib) == 64 && zeros(buf, 64));
    MUST(pread(fd, buf, 64, 5 * tib) == 64 && memcmp(buf, "two", 3) == 0 && zeros(buf + 3, 61));
    MUST(pread(fd, buf, 64, 16 * tib - 3) == 3 && memcmp(buf, "end", 3) == 0);
    MUST(pread(fd, buf, 64, 16 * tib) == 0);
    MUST(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 1 << 20, SEEK_DATA) == 5 * tib);
    MUST(lseek(fd, 5 * tib, SEEK_HOLE) < 5 * tib + (1 << 17));
    MUST(lseek(fd, 16 * tib - 1, SEEK_HOLE) == 16 * tib);
    FAILS(ENXIO, (int)lseek(fd, 16 * tib, SEEK_DATA));
    FAILS(ENXIO, (int)lseek(fd, 16 * tib, SEEK_HOLE));
    /* What was cut off does not come back. */
    MUST(ftruncate(fd, 5 * tib + 1) == 0 && ftruncate(fd, 8 * tib) == 0);
    MUST(pread(fd, buf, 64, 5 * tib) == 64 && buf[0] == 't' && zeros(buf + 1, 63));
    FAILS(EFBIG, ftruncate(fd, LLONG_MAX));
    FAILS(EINVAL, ftruncate(fd, -1));
    MUST(ftruncate(fd, 0) == 0 && fstat(fd, &st) == 0 && st.st_blocks == 0);
}

static void truncating(void)
{
    struct stat before, after;
    unsigned char buf[200];
    int fd = new_file("f"), read_only;

    MUST(write(fd, "0123456789", 10) == 10);
    before = look("f");
    tick();
    MUST(truncate("f", 4) == 0);
    after = look("f");
    MUST(after.st_size == 4 && later(after.st_mtim, before.st_mtim));
    MUST(later(after.st_ctim, before.st_ctim));
    MUST(ftruncate(fd, 100) == 0 && pread(fd, buf, 200, 0) == 100 && zeros(buf + 4, 96));
    MUST(lseek(fd, 0, SEEK_CUR) == 10);
    read_only = open("f", O_RDONLY);
    FAILS(EINVAL, ftruncate(read_only, 0));
    MUST(mkdir("d", 0700) == 0 && mkfifo("p", 0600) == 0);
    FAILS(EISDIR, truncate("d", 0));
    FAILS(EINVAL, truncate("p", 0));
    FAILS(ENOENT, truncate("none", 0));
    /* O_TRUNC of an empty file is a change too. */
    MUST(ftruncate(fd, 0) == 0);
    before = look("f");
    tick();
    MUST(close(open("f", O_WRONLY | O_TRUNC)) == 0);
    MUST(later(look("f").st_mtim, before.st_mtim) && later(look("f").st_ctim, before.st_ctim));
}

static void allocating(void)
{
    static unsigned char buf[100000];
    struct stat before;
    int fd = new_file("f");

    memset(buf, 'x', sizeof(buf));
    MUST(write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf));
    before = look("f");
    tick();
    MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000) == 0 && size_of(fd) == 100000);
    MUST(later(look("f").st_ctim, before.st_ctim));
    MUST(posix_fallocate(fd, 0, 150000) == 0 && size_of(fd) == 150000);
    MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 50000) == 0);
    MUST(pread(fd, buf, 100000, 0) == 100000 && buf[999] == 'x' && buf[51000] == 'x');
    MUST(zeros(buf + 1000, 50000) && size_of(fd) == 150000);
    MUST(lseek(fd, 0, SEEK_HOLE) < 51000);
    MUST(fallocate(fd, FALLOC_FL_ZERO_RANGE, 99999, 100000) == 0 && size_of(fd) == 199999);
    MUST(pread(fd, buf, 2, 99998) == 2 && buf[0] == 'x' && buf[1] == 0);
    FAILS(EINVAL, fallocate(fd, 0, 0, 0));
    FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
    FAILS(EBADF, fallocate(open("f", O_RDONLY), 0, 0, 10));
}

static unsigned char *map_of(int fd, size_t len, int flags)
{
    unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(p != MAP_FAILED);
    return p;
}

static void got_bus(int number)
{
    _exit(number);
}

/* Touching it is answered with SIGBUS. */
static bool past_end(unsigned char *at)
{
    int status;
    pid_t id = fork();

    if (id == 0) {
        signal(SIGBUS, got_bus);
        *(volatile unsigned char *)at = 1;
        _exit(0);
    }
    return waitpid(id, &status, 0) == id && WIFEXITED(status) && WEXITSTATUS(status) == SIGBUS;
}

static void mappings(void)
{
    unsigned char *shared, *private, buf[16];
    struct stat before;
    int fd = new_file("f"), status;

    MUST(ftruncate(fd, 10000) == 0);
    before = look("f");
    tick();
    shared = map_of(fd, 10000, MAP_SHARED);
    private = map_of(fd, 10000, MAP_PRIVATE);
    memcpy(shared + 100, "shared", 6);
    MUST(pread(fd, buf, 6, 100) == 6 && memcmp(buf, "shared", 6) == 0);
    memcpy(private + 200, "private", 7);
    MUST(pread(fd, buf, 7, 200) == 7 && zeros(buf, 7));
    MUST(pwrite(fd, "written", 7, 5000) == 7 && memcmp(shared + 5000, "written", 7) == 0);
    MUST(memcmp(private + 5000, "written", 7) == 0);
    if (fork() == 0) {
        memcpy(shared + 300, "child", 5);
        _exit(0);
    }
    MUST(wait(&status) > 0 && status == 0 && memcmp(shared + 300, "child", 5) == 0);
    MUST(msync(shared, 10000, MS_SYNC) == 0);
    MUST(later(look("f").st_mtim, before.st_mtim));
    /* The last page goes on as zeros, beyond it is nothing. */
    MUST(ftruncate(fd, 5003) == 0 && zeros(shared + 5003, 2 * PAGE - 5003));
    MUST(memcmp(shared + 5000, "wri", 3) == 0 && past_end(shared + 2 * PAGE));
    MUST(ftruncate(fd, 10000) == 0 && zeros(shared + 5003, 10000 - 5003));
    /* A mapping outlives the name and the descriptor. */
    MUST(close(fd) == 0 && unlink("f") == 0);
    memcpy(shared, "still", 5);
    MUST(msync(shared, PAGE, MS_SYNC) == 0 && memcmp(shared, "still", 5) == 0);
    MUST(munmap(shared, 10000) == 0 && munmap(private, 10000) == 0);
    put("r", "read-only");
    fd = open("r", O_RDONLY);
    MUST(mmap(NULL, 9, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
}

static void direct(void)
{
    unsigned char *page = aligned_alloc(PAGE, 2 * PAGE), buf[16], *map;
    int fd = new_file("f"), direct_fd = open("f", O_RDWR | O_DIRECT);

    MUST(page && direct_fd >= 0);
    memset(page, 'd', 2 * PAGE);
    MUST(pwrite(fd, "cached", 6, 0) == 6 && pwrite(direct_fd, page, PAGE, PAGE) == PAGE);
    MUST(size_of(fd) == 2 * PAGE && pread(fd, buf, 16, PAGE - 8) == 16);
    MUST(zeros(buf, 8) && memcmp(buf + 8, "dddddddd", 8) == 0);
    MUST(pread(direct_fd, page, PAGE, 0) == PAGE && memcmp(page, "cached", 6) == 0);
    map = map_of(fd, 2 * PAGE, MAP_SHARED);
    memcpy(map, "mapped", 6);
    MUST(pread(direct_fd, page, PAGE, 0) == PAGE && memcmp(page, "mapped", 6) == 0);
    memcpy(page, "direct", 6);
    MUST(pwrite(direct_fd, page, PAGE, 0) == PAGE && memcmp(map, "direct", 6) == 0);
    MUST(pread(direct_fd, page, 2 * PAGE, PAGE) == PAGE);
    MUST(pread(direct_fd, page, PAGE, 2 * PAGE) == 0);
    MUST(fcntl(fd, F_SETFL, O_DIRECT) == 0 && fcntl(fd, F_SETFL, 0) == 0);
    MUST(munmap(map, 2 * PAGE) == 0);
    free(page);
}

/* Each append is in one piece, at the end of that moment. */
static void appending(void)
{
    enum { WRITERS = 4, EACH = 300 };
    static char record[3000];
    static unsigned counts[WRITERS];
    int fd = new_file("f");
    off_t at = 0;

    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            int mine = open("f", O_WRONLY | O_APPEND);

            memset(record, 'a' + w, sizeof(record));
            for (unsigned i = 0; i < EACH; i++) {
                size_t len = 1 + (i * 7919 + (unsigned)w) % sizeof(record);

                record[len - 1] = '\n';
                if (write(mine, record, len) != (ssize_t)len)
                    _exit(1);
                record[len - 1] = (char)('a' + w);
            }
            _exit(0);
        }
    for (int status, w = 0; w < WRITERS; w++)
        MUST(wait(&status) > 0 && status == 0);
    while (at < size_of(fd)) {
        ssize_t n = pread(fd, record, sizeof(record), at);
        char *end = memchr(record, '\n', (size_t)n);

        MUST(n > 0 && end != NULL);
        for (char *p = record; p < end; p++)
            MUST(*p == record[0]);
        if (end > record)
            counts[record[0] - 'a']++;
        at += end + 1 - record;
    }
    for (int w = 0; w < WRITERS; w++)
        MUST(counts[w] >= EACH - 1); /* a record may be of its end alone */
    close(fd);
    put("g", "abc");
    fd = open("g", O_RDWR | O_APPEND);
    MUST(pwrite(fd, "d", 1, 0) == 1 && holds("g", "abcd")); /* as Linux has it */
    MUST(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "e", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 5);
}

static void limits(void)
{
    struct rlimit limit = {10000, 10000};
    int fd = new_file("f");
    static char buf[64];

    signal(SIGXFSZ, SIG_IGN);
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    MUST(pwrite(fd, buf, 64, 9990) == 10);
    FAILS(EFBIG, (int)pwrite(fd, buf, 1, 10000));
    FAILS(EFBIG, ftruncate(fd, 10001));
    FAILS(EFBIG, fallocate(fd, 0, 0, 10001));
    MUST(ftruncate(fd, 10000) == 0);
    FAILS(EINVAL, (int)pread(fd, buf, 1, -1));
    FAILS(EINVAL, (int)lseek(fd, -1, SEEK_SET));
    FAILS(EBADF, (int)write(open("f", O_RDONLY), buf, 1));
    FAILS(EBADF, (int)read(open("f", O_WRONLY), buf, 1));
    FAILS(EISDIR, (int)read(open(".", O_RDONLY), buf, 1));
}

static void copying(void)
{
    int in = new_file("in"), out = new_file("out"), sent = new_file("sent");
    off_t from = 1, to = 3;

    MUST(write(in, "0123456789", 10) == 10);
    MUST(copy_file_range(in, &from, out, &to, 100, 0) == 9 && from == 10 && to == 12);
    MUST(size_of(out) == 12);
    from = 5;
    MUST(sendfile(sent, in, &from, 100) == 5 && holds("sent", "56789"));
    MUST(fsync(in) == 0 && fdatasync(out) == 0 && syncfs(sent) == 0);
    MUST(fsync(open(".", O_RDONLY)) == 0);
}

static bool try_lock(short type, off_t start, off_t len)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    int status;

    if (fork() == 0)
        _exit(fcntl(open("f", O_RDWR), F_SETLK, &lock) != 0);
    MUST(wait(&status) > 0);
    return status == 0;
}

static bool try_flock(int kind)
{
    int status;

    if (fork() == 0)
        _exit(flock(open("f", O_RDWR), kind | LOCK_NB) != 0);
    MUST(wait(&status) > 0);
    return status == 0;
}

static void locks(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    struct flock open_lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = new_file("f"), status;
    pid_t waiter;

    MUST(fcntl(fd, F_SETLK, &lock) == 0);
    MUST(try_lock(F_WRLCK, 0, 10) && !try_lock(F_WRLCK, 0, 11) && !try_lock(F_RDLCK, 19, 1));
    MUST(try_lock(F_RDLCK, 20, 0) && !try_lock(F_RDLCK, 0, 0));
    lock.l_type = F_UNLCK;
    lock.l_start = 12;
    lock.l_len = 3;
    MUST(fcntl(fd, F_SETLK, &lock) == 0 && try_lock(F_WRLCK, 12, 3) && !try_lock(F_WRLCK, 11, 2));
    MUST(close(open("f", O_RDONLY)) == 0 && try_lock(F_WRLCK, 0, 0)); /* any close unlocks */
    MUST(fcntl(fd, F_OFD_SETLK, &open_lock) == 0 && !try_lock(F_WRLCK, 5, 1));
    FAILS(EAGAIN, fcntl(open("f", O_RDWR), F_OFD_SETLK, &open_lock));
    open_lock.l_type = F_UNLCK;
    MUST(fcntl(fd, F_OFD_SETLK, &open_lock) == 0);
    MUST(flock(fd, LOCK_SH) == 0 && try_flock(LOCK_SH) && !try_flock(LOCK_EX));
    MUST(flock(fd, LOCK_EX) == 0 && !try_flock(LOCK_SH));
    waiter = fork();
    if (waiter == 0)
        _exit(flock(open("f", O_RDWR), LOCK_EX) != 0);
    usleep(50000);
    MUST(waitpid(waiter, &status, WNOHANG) == 0 && flock(fd, LOCK_UN) == 0);
    MUST(waitpid(waiter, &status, 0) == waiter && status == 0);
}

int main(int argc, char **argv)
{
    static const struct posix_case cases[] = {
        {"sparse", sparse},     {"truncating", truncating}, {"allocating", allocating},
        {"mappings", mappings}, {"direct", direct},         {"appending", appending},
        {"limits", limits},     {"copying", copying},       {"locks", locks},
    };

    return posix_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
