/* Operations: made by chance, applied to the model, carried out on a tree. */
#ifndef PFS_TESTS_SIM_OP_H
#define PFS_TESTS_SIM_OP_H

#include "fs/tree/tree.h"
#include "tests/sim/model.h"
#include "tests/sim/rng.h"

enum op_kind {
    OP_CREATE, /* opens slot */
    OP_MKDIR,
    OP_SYMLINK,
    OP_MKNOD,
    OP_LINK,
    OP_UNLINK,
    OP_RMDIR,
    OP_RENAME,
    OP_OPEN, /* opens slot */
    OP_CLOSE,
    OP_WRITE,
    OP_TRUNCATE,
    OP_FALLOCATE,
    OP_CHMOD,
    OP_CHOWN,
    OP_UTIME,
    OP_SETXATTR,
    OP_REMOVEXATTR,
    OP_READ,
    OP_SEEK,
    OP_LOOKUP, /* and keep the reference */
    OP_FORGET,
    OP_FSYNC,
    OP_SYNC, /* all */
    OP_FLUSH,
    OP_PREPARE, /* journal segments */
    OP_KINDS
};

#define OP_HANDLES   4
#define OP_WRITE_MAX ((size_t)512 << 10)

struct op {
    enum op_kind kind;
    int node;           /* what it is about */
    int parent, name;   /* its name */
    int parent2, name2; /* the new one */
    int slot;           /* of the open files; -1: one opened for the purpose */
    unsigned flags;     /* of open, rename, setxattr; mode of fallocate; whence of seek */
    uint32_t mode;      /* and uid, gid */
    uint64_t off, len;  /* and size, time */
    struct mxattr xattr;
    unsigned char *bytes; /* of a write: OP_WRITE_MAX, the caller's */
};

/* What a life is mostly about. */
enum op_theme {
    OP_THEME_ALL,
    OP_THEME_LOG,   /* a file that grows and is cut a little, again and again */
    OP_THEME_PAGES, /* pages that are written again and again, and change at their beginning */
    OP_THEMES
};

/* Who has files open, and how often the kernel was told of an inode. */
struct op_run {
    struct pfs_tree *tree;
    struct pfs_store *store;
    struct pfs_handle *handles[OP_HANDLES];
    int open_node[OP_HANDLES]; /* -1: free */
    bool sync_writes[OP_HANDLES];
    unsigned refs[MODEL_NODES];
    enum op_theme theme;
    uint64_t new_ino; /* of what the last operation made */
    char wrong[512];  /* a read that wasn't as the model has it; else empty */
};

/* max_write: bytes of the longest write. */
void op_make(struct op *op, const struct mstate *state, const struct op_run *run, struct rng *rng,
             size_t max_write);

/* Apply to the model: the error that the operation must have, or 0 and the state after it, which
 * is `state` itself (with a reference more) if nothing changes. */
int op_apply(const struct op *op, struct mstate *state, const struct op_run *run,
             struct mstate **after);

/* Carry it out. `state` is the one before. */
int op_execute(const struct op *op, const struct mstate *state, struct op_run *run);

/* One line for people. */
void op_print(const struct op *op, char *buf, size_t size);

#endif
