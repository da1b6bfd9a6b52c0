/* The branches of a mounted volume, each opened when somebody first looks into it. */
#ifndef PFS_MOUNT_BRANCHES_H
#define PFS_MOUNT_BRANCHES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "fs/mount/options.h"
#include "fs/pages/volume.h"
#include "fs/tree/tree.h"

struct pfs_mount_branch {
    const struct pfs_branch_ref *ref;
    struct pfs_store *store;         /* guarded by mu */
    _Atomic(struct pfs_tree *) tree; /* NULL until opened; set once, under mu */
};

struct pfs_branches {
    pthread_mutex_t mu;        /* held while a branch is opened, over its recovery */
    struct pfs_volume *volume; /* borrowed */
    const struct pfs_mount_options *opt;
    unsigned n;
    struct pfs_mount_branch *all;
    uint32_t max_id;
    uint32_t *by_id; /* branch id -> 1 + place in all, or 0 */
};

/* Borrows both for its life. Opens nothing yet. Errors: PFS_ENOMEM. */
int pfs_branches_init(struct pfs_branches *b, struct pfs_volume *volume,
                      const struct pfs_mount_options *opt) PFS_MUST_USE;

/* Close what was opened: each tree, then its store, which syncs. All handles must be closed.
 * Returns the first error; closes all in any case. */
int pfs_branches_release(struct pfs_branches *b);

/* The tree of a branch, opened if it wasn't. Errors: PFS_ENOENT (no such branch), those of
 * pfs_store_open() and pfs_tree_open(). Threads: any. */
int pfs_branches_tree(struct pfs_branches *b, uint32_t id, struct pfs_tree **out) PFS_MUST_USE;

/* The same if it is open already, else NULL. Never waits. */
struct pfs_tree *pfs_branches_peek(struct pfs_branches *b, uint32_t id);

/* The store beneath it, for its statistics; NULL if the branch isn't open. */
struct pfs_store *pfs_branches_store(struct pfs_branches *b, uint32_t id);

#endif
