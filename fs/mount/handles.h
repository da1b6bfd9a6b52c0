/* Files and directories that are open. What the kernel holds as a file handle is the address of a
 * struct pfs_open. An unmount may drop the last RELEASE requests, so they are also on a list, to be
 * closed before the trees are. */
#ifndef PFS_MOUNT_HANDLES_H
#define PFS_MOUNT_HANDLES_H

#include <pthread.h>
#include <stdint.h>

#include "fs/tree/tree.h"

struct pfs_open {
    struct pfs_open *prev, *next; /* guarded by the list's mu */
    struct pfs_tree *tree;
    struct pfs_handle *handle;
};

struct pfs_handles {
    pthread_mutex_t mu;
    struct pfs_open head; /* of the ring; guarded by mu */
};

/* No handle yet. */
void pfs_handles_init(struct pfs_handles *h);
/* Close all that are left; no request may be under way. Returns how many there were. */
unsigned pfs_handles_release(struct pfs_handles *h);

/* A place for a handle that is about to be opened, or NULL without memory. */
struct pfs_open *pfs_open_new(void);
void pfs_open_free(struct pfs_open *open); /* not on the list */

/* Take over an opened handle. */
void pfs_handles_add(struct pfs_handles *h, struct pfs_open *open, struct pfs_tree *tree,
                     struct pfs_handle *handle);
/* Close it and free it. */
void pfs_handles_close(struct pfs_handles *h, struct pfs_open *open);

static inline uint64_t pfs_open_to_fh(const struct pfs_open *open)
{
    return (uint64_t)(uintptr_t)open;
}

static inline struct pfs_open *pfs_open_of_fh(uint64_t fh)
{
    return (struct pfs_open *)(uintptr_t)fh;
}

#endif
