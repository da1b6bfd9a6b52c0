/* A tree on a disk in memory, and calls of it that must succeed: for tests that are about others.
 * Failures are cmocka's. */
#ifndef PFS_TESTS_LIB_TREE_CALLS_H
#define PFS_TESTS_LIB_TREE_CALLS_H

#include "tests/lib/tree_fixture.h"

struct calls {
    struct fixture *x;
    struct pfs_tree *tree;
};

/* Of cmocka: an empty tree; *state is struct calls. At the end the tree is checked. */
int calls_setup(void **state);
int calls_teardown(void **state);

/* Close the tree and open it anew: nothing is in memory any more. */
void calls_reopen(struct calls *c);

/* Make a file, a directory. Returns the inode. */
uint64_t calls_file(struct calls *c, uint64_t parent, const char *name);
uint64_t calls_dir(struct calls *c, uint64_t parent, const char *name);

/* What a name stands for: its inode, or 0 if it isn't there. */
uint64_t calls_find(struct calls *c, uint64_t parent, const char *name);

struct pfs_attr calls_attr(struct calls *c, uint64_t ino);

/* Open for reading and writing; write; set the size. */
struct pfs_handle *calls_open(struct calls *c, uint64_t ino);
void calls_write(struct calls *c, struct pfs_handle *h, const void *data, size_t len, uint64_t off);
void calls_truncate(struct calls *c, uint64_t ino, uint64_t size);

#endif
