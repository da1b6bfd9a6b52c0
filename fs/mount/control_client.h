/* The other end of the control socket: for tools that ask a running mount. */
#ifndef PFS_MOUNT_CONTROL_CLIENT_H
#define PFS_MOUNT_CONTROL_CLIENT_H

#include "base/err.h"

/* Send one line ("status", without its newline) to the mount that holds the volume open, and wait
 * for the answer, at most ten seconds. Ownership: *reply_out is the caller's, to free();
 * NUL-terminated JSON. Errors: PFS_ENOENT (no daemon listens there), PFS_EACCES, PFS_EIO (it does
 * not answer). */
int pfs_control_request(int volume_dirfd, const char *line, char **reply_out) PFS_MUST_USE;

#endif
