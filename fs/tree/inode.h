/* Inodes in memory: the cache between the kernel's references and the store. Private to fs/tree.
 *
 * An inode is here while anyone refers to it: the kernel (lookups it has not forgotten), open
 * handles, a call in progress. Its `mu` guards its value and makes every change of it, journal
 * record included, one step. Operations on names hold tree->names_mu first and may then take the
 * mu of several inodes in any order; all others take one mu only, so there is no cycle.
 *
 * Invariant: without `dirty` the store's head holds exactly `v`. */
#ifndef PFS_TREE_INODE_H
#define PFS_TREE_INODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fs/tree/ivalue.h"
#include "fs/tree/recent.h"
#include "fs/tree/tree.h"

#define PFS_ICACHE_BUCKETS 65536
#define PFS_ICACHE_STRIPES 64

struct pfs_inode {
    uint64_t ino;
    struct pfs_inode *next; /* in its bucket; guarded by the stripe */
    uint64_t refs;          /* guarded by the stripe */
    pthread_mutex_t mu;
    struct pfs_ivalue v;   /* guarded by mu, like all below */
    pfs_lsn last_lsn;      /* end of the last record about it: what its fsync must cover */
    uint64_t epoch;        /* of its recent pages: a new one after each cut */
    uint64_t journaled_ns; /* mtime that the store has */
    unsigned opens;
    bool dirty;     /* times in v that the store doesn't have */
    bool gone;      /* its key was deleted */
    bool no_caps;   /* has no security.capability: it was looked for */
    int load_error; /* it could not be loaded: let go of it */
};

struct pfs_tree {
    struct pfs_tree_config config;
    struct pfs_store *store;
    uint32_t page_size;
    bool readonly;
    struct pfs_recent *recent;
    pthread_mutex_t names_mu; /* one change of names at a time */
    _Atomic uint64_t next_epoch;
    _Atomic pfs_lsn unnoted; /* an inode changed here and left the cache without noting it */
    _Atomic uint64_t n_inodes, n_handles;
    pthread_mutex_t stripes[PFS_ICACHE_STRIPES];
    struct pfs_inode *buckets[PFS_ICACHE_BUCKETS]; /* guarded by their stripes */
};

struct pfs_handle {
    struct pfs_inode *inode;
    bool sync_writes; /* O_SYNC or O_DSYNC */
};

/* The inode, with one more reference. Errors: PFS_ENOENT and the store's. */
int pfs_inode_get(struct pfs_tree *tree, uint64_t ino, struct pfs_inode **out) PFS_MUST_USE;

/* Enter a new inode with one reference; takes over *v. NULL if out of memory (v is then
 * released). */
struct pfs_inode *pfs_inode_new(struct pfs_tree *tree, uint64_t ino, struct pfs_ivalue *v,
                                pfs_lsn lsn);

/* Take back count references. The last one writes out what is dirty. */
void pfs_inode_put(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t count);

/* Journal the times that only memory has. Holds inode->mu. */
int pfs_inode_write_times(struct pfs_tree *tree, struct pfs_inode *inode) PFS_MUST_USE;

/* The file or directory was read: move atime as the mount's rule has it, in memory; the store gets
 * it with the inode's next record or when it leaves the cache. */
void pfs_inode_accessed(struct pfs_tree *tree, struct pfs_inode *inode);

/* Every dirty inode in the cache. */
int pfs_inode_write_all(struct pfs_tree *tree) PFS_MUST_USE;

/* Free the cache; nothing is written. */
void pfs_inode_drop_all(struct pfs_tree *tree);

/* What getattr answers. Holds inode->mu. */
void pfs_inode_attr(const struct pfs_tree *tree, const struct pfs_inode *inode,
                    struct pfs_attr *attr);

/* A change of an inode in the making: a copy of its value to work on, and its encoding. The inode
 * takes the copy over only when the record is committed. */
struct pfs_change {
    struct pfs_inode *inode;
    struct pfs_ivalue v; /* marks and target still the inode's, unless own_marks */
    bool own_marks;
    unsigned char bytes[PFS_IVALUE_MAX];
};

/* Start from the inode as it is. Holds inode->mu until the end. */
void pfs_change_begin(struct pfs_change *c, struct pfs_inode *inode);
/* The entry that journals c->v. */
struct pfs_entry pfs_change_entry(struct pfs_change *c);
/* The record stands at lsn: the inode is what c->v says. */
void pfs_change_apply(struct pfs_change *c, pfs_lsn lsn);
/* It failed: forget c->v. */
void pfs_change_drop(struct pfs_change *c);

#endif
