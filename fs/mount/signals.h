/* SIGTERM, SIGINT and SIGHUP end the mount as if it had been unmounted. They are taken by a thread
 * of its own: a handler could run on any thread, and libfuse's loop then may not notice. */
#ifndef PFS_MOUNT_SIGNALS_H
#define PFS_MOUNT_SIGNALS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "fs/mount/fuse_api.h"

struct pfs_signals {
    pthread_t thread;
    pthread_t main; /* runs the session's loop */
    struct fuse_session *se;
    atomic_bool ended; /* the loop is over */
    atomic_int caught; /* the signal that ended it, or 0 */
};

/* Before any other thread is made, so that all inherit it: hold the signals back. SIGPIPE is
 * ignored. */
void pfs_signals_block(void);

/* From now on they end the session's loop, which the calling thread is about to run. */
int pfs_signals_start(struct pfs_signals *s, struct fuse_session *se) PFS_MUST_USE;

/* After the loop. Returns the signal that ended it, or 0. */
int pfs_signals_stop(struct pfs_signals *s);

#endif
