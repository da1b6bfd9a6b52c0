/* "I may wait now": how code below tells the thread that runs it that it is about to wait for a
 * disk, a lock or a flush. The threads that answer FUSE requests take turns at reading them; one
 * that is about to wait hands its turn on first. Anyone may call it, it costs a load. */
#ifndef PFS_BASE_BLOCKING_H
#define PFS_BASE_BLOCKING_H

#include <pthread.h>

typedef void pfs_blocking_cb(void *ctx);

/* Have cb called, in this thread, at its next pfs_blocking(); once. NULL: nobody wants to know. */
void pfs_blocking_expect(pfs_blocking_cb *cb, void *ctx);

/* Called before something that may take longer than a few microseconds. */
void pfs_blocking(void);

/* Lock; says so first if that means to wait. */
void pfs_mutex_lock(pthread_mutex_t *mu);

#endif
