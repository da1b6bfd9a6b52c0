/* The inside of pfs_tree_check(): what is remembered of each inode, and the passes. Private to
 * fs/tree/check*.c.
 *
 *   check.c        inodes and orphans, which the others count in
 *   check_names.c  directory entries and extended attributes: counted, and where they stand
 *   check_pages.c  pages: read, and nothing past the end of their file
 *   check_links.c  at the end: what inodes said against what was counted
 */
#ifndef PFS_TREE_CHECK_H
#define PFS_TREE_CHECK_H

#include "fs/tree/inode.h"

enum check_way { /* from a directory up to the root */
                 CHECK_WAY_UNKNOWN,
                 CHECK_WAY_WALKED, /* by the walk that is under way */
                 CHECK_WAY_ROOT,   /* leads to the root */
                 CHECK_WAY_ASTRAY, /* doesn't; the fault was reported where it is */
};

/* An inode. "Left" is what its value says minus what was found: zero if all is well. */
struct check_node {
    uint64_t ino;
    uint64_t parent;      /* of a directory, as its value says */
    int64_t entries_left; /* of a directory */
    uint32_t nlink;       /* as its value says */
    uint32_t links;       /* counted */
    int32_t xattrs_left;
    uint8_t type; /* mode >> 12 */
    uint8_t way;  /* enum check_way */
    bool orphan;
    bool named; /* a directory that an entry names */
};

_Static_assert(sizeof(struct check_node) == 40, "40 bytes an inode are promised");

struct check {
    struct pfs_store *store;
    pfs_lsn lsn; /* the tree is checked as it is here */
    const struct pfs_tree_check_cb *cb;
    struct pfs_tree_check_stats *stats;
    uint64_t name_seed;
    struct check_node *nodes; /* ascending */
    size_t n_nodes, cap_nodes;
    uint64_t steps;
    bool names_known, xattrs_known; /* the pass met nothing that it could not read */
};

/* Report a fault. */
void check_fault(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An error of the store: damage is reported as a fault and 0 returned, others are handed back. */
int check_judge(struct check *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) PFS_MUST_USE;

/* One more thing was looked at: lets the caller's progress be heard of. */
void check_step(struct check *c);

/* NULL: there is no such inode. */
struct check_node *check_find(struct check *c, uint64_t ino);

/* The passes. 0, with faults reported, or an error that ends the check. */
int check_dentries(struct check *c) PFS_MUST_USE;
int check_xattrs(struct check *c) PFS_MUST_USE;
int check_pages(struct check *c) PFS_MUST_USE;

/* The verdict on each inode, after the passes. */
void check_links(struct check *c);

#endif
