/* One file against a copy of it in memory:
 *
 *     posix_fsx FILE [SEED [OPERATIONS [BYTES]]]
 *
 * does random operations on a file of at most BYTES (read, write, append, mmap both ways, O_DIRECT,
 * truncate, fallocate in its kinds, copy_file_range, SEEK_DATA and SEEK_HOLE, dropping the cache,
 * opening anew) and compares whatever it reads, the size, and that holes are zeros. At the first
 * difference it says where, prints the last operations and ends with 1. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ALIGN = 4096, LOG_LINES = 24 };

static const char *path;
static size_t max_size;
static int fd = -1, direct_fd = -1;
static unsigned char *good; /* what the file must hold; zeros past its end */
static size_t size;
static unsigned char *buf; /* aligned, max_size + ALIGN */
static uint64_t rng_state;
static unsigned long op_number;
static char op_log[LOG_LINES][160];

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *fmt, ...)
{
    va_list ap;

    printf("# the last operations on %s:\n", path);
    for (unsigned long i = op_number < LOG_LINES ? 0 : op_number - LOG_LINES; i < op_number; i++)
        printf("#   %lu %s\n", i, op_log[i % LOG_LINES]);
    printf("# ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    exit(1);
}

static __attribute__((format(printf, 1, 2))) void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(op_log[op_number % LOG_LINES], sizeof(op_log[0]), fmt, ap);
    va_end(ap);
    op_number++;
}

static void must(bool good_outcome, const char *what)
{
    if (!good_outcome)
        fail("%s: %s", what, strerror(errno));
}

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t below(size_t n)
{
    return n ? (size_t)(rng() >> 11) % n : 0;
}

/* A range below max_size, mostly short, now and then on boundaries of pages. */
static void range(size_t *off, size_t *len)
{
    *off = below(max_size);
    *len = 1 + below(below(4) ? 20000 : max_size);
    if (below(3) == 0)
        *off -= *off % ALIGN;
    if (below(3) == 0)
        *len += ALIGN - *len % ALIGN;
    if (*len > max_size - *off)
        *len = max_size - *off;
}

static void open_file(void)
{
    if (fd >= 0) {
        must(close(fd) == 0 && close(direct_fd) == 0, "close");
    }
    fd = open(path, O_RDWR | O_CREAT, 0644);
    direct_fd = open(path, O_RDWR | O_DIRECT);
    must(fd >= 0 && direct_fd >= 0, "open");
}

static void grow(size_t end)
{
    if (end > size)
        size = end;
}

static void fill(size_t len)
{
    uint64_t x = rng() | 1;

    for (size_t i = 0; i < len; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        buf[i] = (unsigned char)(x >> 56);
    }
    if (below(6) == 0)
        memset(buf, 0, len);
}

static void compare(const unsigned char *got, size_t off, size_t len, const char *how)
{
    if (memcmp(got, good + off, len) == 0)
        return;
    for (size_t i = 0; i < len; i++)
        if (got[i] != good[off + i])
            fail("%s: byte %zu is %#x and must be %#x", how, off + i, got[i], good[off + i]);
}

static void check_size(void)
{
    struct stat st;

    must(fstat(fd, &st) == 0, "fstat");
    if ((size_t)st.st_size != size)
        fail("fstat says %lld bytes, not %zu", (long long)st.st_size, size);
    if (lseek(fd, 0, SEEK_END) != (off_t)size)
        fail("the end is not at %zu", size);
}

static void do_read(void)
{
    size_t off, len, want;
    ssize_t n;

    range(&off, &len);
    want = off >= size ? 0 : len < size - off ? len : size - off;
    note("read %zu+%zu", off, len);
    n = pread(fd, buf, len, (off_t)off);
    must(n >= 0, "read");
    if ((size_t)n != want)
        fail("read %zd bytes at %zu, not %zu", n, off, want);
    compare(buf, off, want, "read");
}

static void do_direct_read(void)
{
    size_t off, len, want;
    ssize_t n;

    range(&off, &len);
    off -= off % ALIGN;
    len += (ALIGN - len % ALIGN) % ALIGN;
    want = off >= size ? 0 : len < size - off ? len : size - off;
    note("direct read %zu+%zu", off, len);
    n = pread(direct_fd, buf, len, (off_t)off);
    must(n >= 0, "direct read");
    if ((size_t)n != want)
        fail("direct read of %zd bytes at %zu, not %zu", n, off, want);
    compare(buf, off, want, "direct read");
}

static void do_write(void)
{
    size_t off, len, half;
    ssize_t n;

    range(&off, &len);
    if (!len)
        return;
    fill(len);
    half = below(4) ? len : below(len);
    note("write %zu+%zu (in %zu and %zu)", off, len, half, len - half);
    {
        struct iovec iov[2] = {{buf, half}, {buf + half, len - half}};

        n = pwritev(fd, iov, 2, (off_t)off);
    }
    if ((size_t)n != len)
        fail("wrote %zd: %s", n, strerror(errno));
    memcpy(good + off, buf, len);
    grow(off + len);
}

static void do_direct_write(void)
{
    size_t off, len;

    range(&off, &len);
    off -= off % ALIGN;
    len -= len % ALIGN;
    if (!len)
        return;
    fill(len);
    note("direct write %zu+%zu", off, len);
    must(pwrite(direct_fd, buf, len, (off_t)off) == (ssize_t)len, "direct write");
    memcpy(good + off, buf, len);
    grow(off + len);
}

static void do_append(void)
{
    size_t len = 1 + below(9000);
    int append_fd;

    if (len > max_size - size)
        return;
    fill(len);
    note("append %zu", len);
    append_fd = open(path, O_WRONLY | O_APPEND);
    must(append_fd >= 0, "open to append");
    must(pwrite(append_fd, buf, len, (off_t)below(100)) == (ssize_t)len, "append");
    must(close(append_fd) == 0, "close");
    memcpy(good + size, buf, len);
    grow(size + len);
}

static void do_map(bool write_it)
{
    size_t off, len, from, past;
    unsigned char *map;

    range(&off, &len);
    if (off >= size)
        return;
    if (len > size - off)
        len = size - off;
    from = off - off % ALIGN;
    note("%s through a mapping %zu+%zu", write_it ? "write" : "read", off, len);
    map = mmap(NULL, off + len - from, write_it ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
               fd, (off_t)from);
    must(map != MAP_FAILED, "mmap");
    if (write_it) {
        fill(len);
        memcpy(map + (off - from), buf, len);
        memcpy(good + off, buf, len);
        if (below(2))
            must(msync(map, off + len - from, below(2) ? MS_SYNC : MS_ASYNC) == 0, "msync");
    } else {
        compare(map + (off - from), off, len, "mapping");
        /* What is mapped of the last page past the end is zeros. */
        past = (ALIGN - (off + len) % ALIGN) % ALIGN;
        for (size_t i = 0; off + len == size && i < past; i++)
            if (map[off + len - from + i])
                fail("the mapping is %#x %zu bytes past the end", map[off + len - from + i], i);
    }
    must(munmap(map, off + len - from) == 0, "munmap");
}

static void do_truncate(void)
{
    size_t to = below(3) ? below(max_size) : size - below(size < 5000 ? size : 5000);

    if (below(4) == 0)
        to -= to % ALIGN;
    if (below(15) == 0)
        to = 0;
    note("truncate %zu to %zu", size, to);
    must((below(2) ? ftruncate(fd, (off_t)to) : truncate(path, (off_t)to)) == 0, "truncate");
    if (to < size)
        memset(good + to, 0, size - to);
    size = to;
}

static void do_allocate(void)
{
    static const int modes[] = {
        0,
        FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_ZERO_RANGE,
        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    };
    int mode = modes[below(sizeof(modes) / sizeof(modes[0]))];
    size_t off, len;

    range(&off, &len);
    if (!len)
        return;
    note("fallocate(%#x) %zu+%zu", (unsigned)mode, off, len);
    must(fallocate(fd, mode, (off_t)off, (off_t)len) == 0, "fallocate");
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && off < size)
        memset(good + off, 0, len < size - off ? len : size - off);
    if (!(mode & FALLOC_FL_KEEP_SIZE))
        grow(off + len);
}

static void do_copy(void)
{
    size_t from, len, to;
    off_t in, out;

    range(&from, &len);
    to = below(max_size);
    if (from >= size)
        return;
    if (len > size - from)
        len = size - from;
    if (len > max_size - to)
        len = max_size - to;
    if (to < from + len && from < to + len)
        return;
    note("copy %zu+%zu to %zu", from, len, to);
    in = (off_t)from;
    out = (off_t)to;
    for (size_t left = len; left > 0;) {
        ssize_t n = copy_file_range(fd, &in, fd, &out, left, 0);

        must(n > 0, "copy_file_range");
        left -= (size_t)n;
    }
    memcpy(good + to, good + from, len);
    grow(to + len);
}

/* Data and holes take turns from the start to the end, and holes are zeros. */
static void do_seek(void)
{
    off_t at = 0;

    note("seek");
    while ((size_t)at < size) {
        off_t data = lseek(fd, at, SEEK_DATA), hole;

        must(data >= at || (data < 0 && errno == ENXIO), "SEEK_DATA");
        if (data < 0)
            data = (off_t)size;
        for (off_t i = at; i < data; i++)
            if (good[i])
                fail("byte %lld is in a hole", (long long)i);
        if ((size_t)data == size)
            break;
        hole = lseek(fd, data, SEEK_HOLE);
        if (hole <= data || (size_t)hole > size)
            fail("data at %lld, then a hole at %lld", (long long)data, (long long)hole);
        at = hole;
    }
    if (lseek(fd, (off_t)size, SEEK_DATA) >= 0 || errno != ENXIO)
        fail("there is data at the end");
}

static void do_drop(void)
{
    note("drop the cache");
    must(fdatasync(fd) == 0, "fdatasync");
    must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

static void do_reopen(void)
{
    note("reopen");
    open_file();
}

static void do_operation(void)
{
    switch (below(20)) {
    case 0:
    case 1:
    case 2:
        do_write();
        break;
    case 3:
        do_append();
        break;
    case 4:
    case 5:
        do_direct_write();
        break;
    case 6:
    case 7:
        do_map(true);
        break;
    case 8:
    case 9:
        do_map(false);
        break;
    case 10:
        do_direct_read();
        break;
    case 11:
    case 12:
        do_truncate();
        break;
    case 13:
    case 14:
        do_allocate();
        break;
    case 15:
        do_copy();
        break;
    case 16:
        do_seek();
        break;
    case 17:
        below(4) ? do_drop() : do_reopen();
        break;
    default:
        do_read();
    }
    check_size();
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 2000;

    if (argc < 2) {
        fprintf(stderr, "usage: posix_fsx FILE [SEED [OPERATIONS [BYTES]]]\n");
        return 2;
    }
    path = argv[1];
    rng_state = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    max_size = argc > 4 ? strtoul(argv[4], NULL, 10) : 300000;
    good = calloc(1, max_size + ALIGN);
    buf = aligned_alloc(ALIGN, (max_size / ALIGN + 2) * ALIGN);
    if (!good || !buf)
        return 2;
    unlink(path);
    open_file();
    for (unsigned long i = 0; i < count; i++)
        do_operation();
    do_drop();
    open_file();
    must(pread(fd, buf, max_size, 0) == (ssize_t)size, "read of all");
    compare(buf, 0, size, "at the end");
    printf("# %s: %lu operations, %zu bytes at the end\n", path, count, size);
    return 0;
}
