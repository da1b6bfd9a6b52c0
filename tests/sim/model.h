/* What a tree must look like: the whole of it, in memory, after each operation. States share what
 * did not change, so that all of them can be kept. */
#ifndef PFS_TESTS_SIM_MODEL_H
#define PFS_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/lsn.h"

#define MODEL_NODES   24
#define MODEL_ENTRIES 40
#define MODEL_XATTRS  3
#define MODEL_NAMES   14

/* Files have bytes in two stretches, at their beginning and far away, and holes between. */
#define MODEL_PAGE    4096
#define MODEL_PAGES   48 /* in each stretch */
#define MODEL_STRETCH ((uint64_t)MODEL_PAGES * MODEL_PAGE)
#define MODEL_FAR     (UINT64_C(1) << 43)

struct mpage {
    unsigned refs;
    unsigned char bytes[MODEL_PAGE];
};

struct mxattr {
    unsigned name; /* number of user.NAME; 0: none */
    unsigned len;
    unsigned fill;
};

/* Never changed once a state has it but by the one who made it. */
struct mnode {
    unsigned refs;
    uint64_t ino; /* 0: not known, its making was interrupted */
    uint32_t mode, uid, gid, rdev;
    uint64_t size;
    uint64_t mtime_ns;
    uint64_t changed; /* number of the state that changed it last, names included */
    int parent;       /* of a directory */
    char target[32];  /* of a symlink */
    struct mxattr xattrs[MODEL_XATTRS];
    struct mpage *pages[2 * MODEL_PAGES]; /* NULL: zeros */
};

struct mentry {
    int parent, name, child;
};

struct mstate {
    unsigned refs;
    uint64_t number;
    pfs_lsn from, until;              /* the journal shows this state at least so long */
    struct mnode *nodes[MODEL_NODES]; /* 0 is the root */
    struct mentry entries[MODEL_ENTRIES];
    int n_entries;
};

/* Names by number; user.NAME of attributes. */
const char *mtree_name(int name);
const char *mtree_xattr(unsigned name);
/* The bytes of an attribute's value, len of them. */
void mtree_xattr_fill(const struct mxattr *x, unsigned char *out);

struct mstate *mtree_create(void); /* an empty root */
struct mstate *mtree_copy(const struct mstate *state);
void mtree_put(struct mstate *state);

/* The node, for changing: a copy if other states have it too. */
struct mnode *mtree_edit(struct mstate *state, int node);
/* A new one, or -1: there is no room. */
int mtree_new_node(struct mstate *state, uint32_t mode);
void mtree_drop_node(struct mstate *state, int node);

/* The entry's number, or -1. */
int mtree_find(const struct mstate *state, int parent, int name);
void mtree_add_entry(struct mstate *state, int parent, int name, int child);
void mtree_remove_entry(struct mstate *state, int entry);
int mtree_links(const struct mstate *state,
                int node); /* names of a file; st_nlink of a directory */
int mtree_children(const struct mstate *state, int dir);
bool mtree_is_above(const struct mstate *state, int node, int dir); /* or dir itself */
/* Those without a name go, as at a mount. */
void mtree_drop_orphans(struct mstate *state);

void mtree_write(struct mnode *node, const unsigned char *buf, size_t len, uint64_t off);
void mtree_zero(struct mnode *node, uint64_t from, uint64_t to);
void mtree_resize(struct mnode *node, uint64_t size);
void mtree_read(const struct mnode *node, unsigned char *buf, size_t len, uint64_t off);

#endif
