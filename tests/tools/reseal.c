/* Make a changed file of a volume look whole again, as a newer program or another branch would have
 * written it:
 *
 *     reseal sealed FILE                  the volume file or a manifest, after its JSON was changed
 *     reseal segment FILE OFFSET VALUE    puts the number into the header of a journal segment
 *     reseal layer FILE VERSION           the version of a layer */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "fs/pages/layer_format.h"

static unsigned char bytes[1 << 20];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "reseal: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(int fd, const void *data, size_t len, off_t at)
{
    if (pwrite(fd, data, len, at) != (ssize_t)len)
        die("write");
}

static void sealed(int fd)
{
    ssize_t n = pread(fd, bytes, sizeof(bytes) - 1, 0);
    unsigned char *body = n > 0 ? memchr(bytes, '\n', (size_t)n) : NULL;
    char magic[32], head[128];
    unsigned version;
    size_t len;

    if (!body++ || sscanf((char *)bytes, "%31s %u", magic, &version) != 2)
        die("not a sealed file");
    len = (size_t)(bytes + n - body);
    snprintf(head, sizeof(head), "%s %u %zu %016" PRIx64 "\n", magic, version, len,
             pfs_checksum(body, len));
    put(fd, head, strlen(head), 0);
    put(fd, body, len, (off_t)strlen(head));
    if (ftruncate(fd, (off_t)(strlen(head) + len)) != 0)
        die("truncate");
}

static void segment(int fd, unsigned offset, uint32_t value)
{
    if (pread(fd, bytes, 48, 0) != 48 || offset > 36)
        die("header");
    pfs_put32(bytes + offset, value);
    pfs_put64(bytes + 40, pfs_checksum(bytes, 40));
    put(fd, bytes, 48, 0);
}

static void layer(int fd, uint32_t version)
{
    off_t tail = lseek(fd, 0, SEEK_END) - PFS_LAYER_FOOTER_BYTES + PFS_LAYER_FOOTER_TAIL;

    pfs_put32(bytes, version);
    pfs_put32(bytes + 4, ~version);
    put(fd, bytes, 8, tail);
    put(fd, bytes, 4, 8);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[1] : "";
    int fd = argc > 2 ? open(argv[2], O_RDWR | O_CLOEXEC) : -1;

    if (argc > 2 && fd < 0)
        die(argv[2]);
    if (strcmp(kind, "sealed") == 0 && argc == 3)
        sealed(fd);
    else if (strcmp(kind, "segment") == 0 && argc == 5)
        segment(fd, (unsigned)atoi(argv[3]), (uint32_t)strtoul(argv[4], NULL, 0));
    else if (strcmp(kind, "layer") == 0 && argc == 4)
        layer(fd, (uint32_t)strtoul(argv[3], NULL, 0));
    else
        return 2;
    return 0;
}
