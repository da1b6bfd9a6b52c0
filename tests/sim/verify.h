/* Is a tree what the model says? Twice: through the calls that serve users, and from the keys in
 * the store, which works at any LSN. */
#ifndef PFS_TESTS_SIM_VERIFY_H
#define PFS_TESTS_SIM_VERIFY_H

#include "fs/tree/tree.h"
#include "tests/sim/model.h"

struct verify {
    char why[600];             /* what is different; empty if nothing is */
    uint64_t ino[MODEL_NODES]; /* found for each node; 0: not found */
    uint64_t mtime[MODEL_NODES];
};

/* At the head. Times are compared to the nanosecond, or to the second if `coarse`. Returns 0 also
 * if something is different; errors are those of the calls. */
int verify_tree(struct pfs_tree *tree, const struct mstate *state, bool coarse, struct verify *v);

/* At an LSN. Times may be coarse to a second. */
int verify_store(struct pfs_store *store, pfs_lsn lsn, const struct mstate *state,
                 struct verify *v);

#endif
