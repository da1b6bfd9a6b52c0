/* The control socket: VOLUME/control, for those who may write to the volume (mode 0600).
 *
 * A client sends one line, a command, and reads the answer, JSON, until the end of file. Commands:
 *
 *   status   everything that is known of the running mount
 *
 * Anything else is answered with {"error": "…"}. A client has two seconds to say its line. */
#ifndef PFS_MOUNT_CONTROL_H
#define PFS_MOUNT_CONTROL_H

#include "base/err.h"
#include "fs/mount/mount.h"

#define PFS_CONTROL_NAME     "control"
#define PFS_CONTROL_LINE_MAX 256

struct pfs_control;

/* Listen, and answer in a thread of its own. The caller holds the volume's lock for writing, so a
 * socket that is there already is a dead daemon's, and replaced. m is borrowed until stop.
 * Errors: those of sockets; a mount works without. */
int pfs_control_start(struct pfs_mount *m, struct pfs_control **out) PFS_MUST_USE;

/* Ends the thread and removes the socket. control may be NULL. */
void pfs_control_stop(struct pfs_control *control);

#endif
