#include "fs/mount/init_patch.h"

#include <linux/fuse.h>
#include <string.h>

_Static_assert(FUSE_PARALLEL_DIROPS == PFS_INIT_PARALLEL_DIROPS, "kernel's bit");
_Static_assert(FUSE_HANDLE_KILLPRIV == PFS_INIT_KILLPRIV_V1, "kernel's bit");
_Static_assert(FUSE_HANDLE_KILLPRIV_V2 == PFS_INIT_KILLPRIV_V2, "kernel's bit");
_Static_assert(FUSE_SETXATTR_EXT == PFS_INIT_SETXATTR_EXT, "kernel's bit");
_Static_assert(FUSE_INIT_EXT == PFS_INIT_EXT, "kernel's bit");

/* What kernels before 7.36 send: everything up to flags. */
#define INIT_IN_MIN offsetof(struct fuse_init_in, flags2)

bool pfs_init_read(const void *request, size_t len_bytes, struct pfs_init_offer *offer)
{
    struct fuse_in_header header;
    struct fuse_init_in in = {0};
    size_t body;

    if (len_bytes < sizeof(header) + INIT_IN_MIN)
        return false;
    memcpy(&header, request, sizeof(header));
    if (header.opcode != FUSE_INIT)
        return false;
    body = len_bytes - sizeof(header);
    memcpy(&in, (const char *)request + sizeof(header), body < sizeof(in) ? body : sizeof(in));
    /* Another major version begins again with a second INIT; nobody has one. */
    if (in.major != FUSE_KERNEL_VERSION || in.minor < 6)
        return false;
    offer->unique = header.unique;
    offer->flags = in.flags;
    if (in.flags & FUSE_INIT_EXT)
        offer->flags |= (uint64_t)in.flags2 << 32;
    return true;
}

uint64_t pfs_init_patch(void *answer, size_t len_bytes, const struct pfs_init_offer *offer)
{
    const uint64_t wanted = PFS_INIT_PARALLEL_DIROPS | PFS_INIT_KILLPRIV_V2 |
                            PFS_INIT_SETXATTR_EXT | PFS_INIT_DIRECT_ALLOW_MMAP;
    struct fuse_init_out out;
    uint64_t flags;

    /* A shorter answer is one to a kernel that has none of this. */
    if (len_bytes < sizeof(out))
        return 0;
    memcpy(&out, answer, sizeof(out));
    flags = out.flags;
    if (out.flags & FUSE_INIT_EXT)
        flags |= (uint64_t)out.flags2 << 32;
    flags = (flags & ~PFS_INIT_KILLPRIV_V1) | (offer->flags & wanted);
    if (flags >> 32)
        flags |= PFS_INIT_EXT;
    out.flags = (uint32_t)flags;
    out.flags2 = (uint32_t)(flags >> 32);
    memcpy(answer, &out, sizeof(out));
    return flags;
}
