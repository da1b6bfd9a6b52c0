/* A small tree made through the tree's own calls on a disk in memory, then broken in the store
 * beneath: what pfs_tree_check() must notice, and nothing else. Failures are cmocka's. */
#ifndef PFS_TESTS_LIB_TREE_FIXTURE_H
#define PFS_TESTS_LIB_TREE_FIXTURE_H

#include "base/io.h"
#include "fs/tree/inode.h"

/*  /f (also /d/g)  12,000 bytes      /d/e/ empty       /s -> f       /f has user.a, user.b  */
struct fixture {
    struct pfs_io *io;
    struct pfs_store *store;
    uint64_t f, d, e, s;
    unsigned n_faults;
    char said[8192]; /* the faults, a line each */
    struct pfs_tree_check_stats stats;
};

/* Of cmocka: an empty branch, or one with that tree; *state is the fixture. */
int fixture_setup(void **state);
int fixture_setup_built(void **state);
int fixture_teardown(void **state);

/* The tree, to do more to it; close it with pfs_tree_close(). */
struct pfs_tree *fixture_open_tree(struct fixture *x);

/* Check; the result is in x. The second fails the test if there is a fault, the third unless there
 * are n of them and one is said in these words. */
int fixture_check(struct fixture *x);
void fixture_clean(struct fixture *x);
void fixture_finds(struct fixture *x, unsigned n, const char *words);

/* Write a version of a key, or delete it. */
void fixture_put(struct fixture *x, struct pfs_key key, enum pfs_kind kind, const void *data,
                 size_t len);
void fixture_drop(struct fixture *x, struct pfs_key key);

/* An inode as it stands, and what it is to be instead (v is released). */
void fixture_get_inode(struct fixture *x, uint64_t ino, struct pfs_ivalue *v);
void fixture_put_inode(struct fixture *x, uint64_t ino, struct pfs_ivalue *v);

/* The first slot for a name; an entry put into a slot, or into its first one; that one emptied. */
struct pfs_key fixture_slot_of(enum pfs_key_type type, uint64_t ino, const char *name);
void fixture_put_dentry(struct fixture *x, struct pfs_key key, const char *name, uint64_t child,
                        uint32_t mode);
void fixture_name_it(struct fixture *x, uint64_t parent, const char *name, uint64_t child,
                     uint32_t mode);
void fixture_unname(struct fixture *x, uint64_t parent, const char *name);

#endif
