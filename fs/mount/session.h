/* A mount from its first to its last moment. */
#ifndef PFS_MOUNT_SESSION_H
#define PFS_MOUNT_SESSION_H

#include "base/err.h"
#include "fs/mount/options.h"

/* Called once, when the kernel and the mount have agreed: from now on whoever uses it is served. */
typedef void pfs_mount_ready_cb(void *ctx);

/* Lock the volume, recover, mount, serve until somebody unmounts or SIGTERM, SIGINT or SIGHUP come,
 * then sync and let go of everything. opt->volume and opt->mountpoint are absolute.
 * Returns 0 if all of it went well, the last sync included. Errors before the ready callback mean
 * that nothing is mounted; after it: PFS_EIO and others if something written may be lost, which is
 * also logged.
 * Threads: call it in a process that has made no thread yet; signals are dealt with here. */
int pfs_mount_run(const struct pfs_mount_options *opt, pfs_mount_ready_cb *ready,
                  void *ctx) PFS_MUST_USE;

#endif
