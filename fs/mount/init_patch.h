/* The handshake with the kernel, where libfuse 3.14 doesn't know enough.
 *
 * The kernel's INIT offers features as bits, the answer takes the ones that are wanted. Some that
 * matter here are younger than libfuse 3.14, one it forgets, so its answer is patched on the way
 * out:
 *
 *   bit  feature              why
 *   ---  -------------------  ----------------------------------------------------------------
 *   18   PARALLEL_DIROPS      lookups and listings of a directory at the same time; libfuse 3.14
 *                             says that it asks for it and doesn't
 *   28   HANDLE_KILLPRIV_V2   pagefs drops suid and sgid itself; with it the kernel needn't ask for
 *                             security.capability before each write. Excludes bit 19, its
 *                             predecessor, which doesn't say who writes.
 *   29   SETXATTR_EXT         setting an ACL says whether sgid must go
 *   36   DIRECT_IO_ALLOW_MMAP shared mmap of files in cache=direct; in flags2, announced by bit 30
 *
 * A feature that the kernel doesn't offer isn't taken, and the kernel then does that work. */
#ifndef PFS_MOUNT_INIT_PATCH_H
#define PFS_MOUNT_INIT_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PFS_INIT_PARALLEL_DIROPS   (UINT64_C(1) << 18)
#define PFS_INIT_KILLPRIV_V1       (UINT64_C(1) << 19)
#define PFS_INIT_KILLPRIV_V2       (UINT64_C(1) << 28)
#define PFS_INIT_SETXATTR_EXT      (UINT64_C(1) << 29)
#define PFS_INIT_EXT               (UINT64_C(1) << 30)
#define PFS_INIT_DIRECT_ALLOW_MMAP (UINT64_C(1) << 36)

struct pfs_init_offer {
    uint64_t unique; /* of the request, and so of its answer */
    uint64_t flags;  /* flags2 << 32 | flags */
};

/* Read an INIT request, header included. False if it is none, or too short or too old to patch. */
bool pfs_init_read(const void *request, size_t len_bytes, struct pfs_init_offer *offer);

/* Patch the answer's body (struct fuse_init_out, without the header) in place; returns the flags
 * that were agreed on. */
uint64_t pfs_init_patch(void *answer, size_t len_bytes, const struct pfs_init_offer *offer);

#endif
