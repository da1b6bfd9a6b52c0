/* The threads that read requests and answer them.
 *
 * One thread at a time reads: it takes a request, answers it, and reads the next, without a wake-up
 * in between. Before it waits for a disk, a lock or a flush (base/blocking.h) it hands its turn to
 * another. When requests come faster than one thread answers them, more read at once, up to one a
 * CPU. A reader that runs dry looks again for some microseconds before it sleeps, giving way to
 * anyone who wants the CPU: waking a thread on another CPU costs more than most requests do. It
 * stops doing so while that rarely pays. */
#ifndef PFS_MOUNT_LOOP_H
#define PFS_MOUNT_LOOP_H

#include <sys/types.h>

#include "base/err.h"

struct fuse_session;

/* Serve until the session has ended (unmounted, or fuse_session_exit() and a signal to the calling
 * thread, which itself only waits). spin_us 0: never look again. */
int pfs_loop_run(struct fuse_session *se, unsigned max_threads, unsigned spin_us) PFS_MUST_USE;

/* read(2) of the session's descriptor for the loop's threads; plain read(2) for others. */
ssize_t pfs_loop_read(int fd, void *buf, size_t size);

#endif
