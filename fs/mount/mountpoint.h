/* Directories to mount on, and what the system's table of mounts says of them. */
#ifndef PFS_MOUNT_MOUNTPOINT_H
#define PFS_MOUNT_MOUNTPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct pfs_mount_entry {
    const char *device; /* "0:52", of the filesystem */
    const char *dir;
    const char *type;   /* "fuse.pagefs" */
    const char *source; /* of a pagefs: the volume's absolute path */
};

/* Call cb for each line of mountinfo, in the order of mounting; a nonzero return ends the walk and
 * is returned. Errors: PFS_EIO, PFS_EACCES if there is no /proc. */
typedef int pfs_mounts_cb(void *ctx, const struct pfs_mount_entry *entry);
int pfs_mounts_walk(pfs_mounts_cb *cb, void *ctx) PFS_MUST_USE;

/* One line of mountinfo, taken apart in place. False if it isn't one. */
bool pfs_mounts_parse(char *line, struct pfs_mount_entry *out);

/* True if a pagefs mount of this volume (absolute path) is in the table, dead or alive. */
bool pfs_volume_is_mounted(const char *volume);

/* The absolute path of a volume's directory. Ownership: *out is the caller's, to free(). */
int pfs_volume_resolve(const char *volume, char **out) PFS_MUST_USE;

/* The absolute path of a directory on which the volume (absolute path) can be mounted. A mount of
 * the same volume that its daemon left behind, dead, is taken away. /dev/fd/N, an opened
 * /dev/fuse that somebody mounts, stays as it is. Errors: PFS_ENOENT, PFS_ENOTDIR, PFS_EBUSY (in
 * use), PFS_EINVAL (one is inside the other). Ownership: *out is the caller's, to free(). */
int pfs_mountpoint_resolve(const char *dir, const char *volume, char **out) PFS_MUST_USE;

/* True for /dev/fd/N. */
bool pfs_mountpoint_is_fd(const char *mountpoint);

/* The device of the last filesystem mounted on this directory (absolute path), or false. */
bool pfs_mountpoint_device(const char *mountpoint, char *device, size_t size);

/* Take our mount away if it is still there after its connection was cut. */
void pfs_mountpoint_detach_dead(const char *mountpoint, const char *device);

#endif
