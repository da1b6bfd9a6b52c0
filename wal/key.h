/* The versioned key space: one key names a page, an inode, a directory entry, an attribute or a
 * mark; (key, LSN) names a version of it.
 *
 *   type  a        b              what
 *   ----  -------  -------------  -------------------------------------------------------------
 *   I     inode    0              inode: attributes, truncation marks, symlink target
 *   O     inode    0              orphan: unlinked but still open; removed at the next mount
 *   D     parent   name's cookie  directory entry: name, child, type
 *   X     inode    name's slot    extended attribute: name, value
 *   P     inode    block number   page
 *
 * Order is by type, then a, then b: metadata stands together at the front of each layer, the
 * pages of a file stand in order. All keys have one size; a name is found by its hash (cookie,
 * slot) and compared in the value, which also gives readdir its stable 63-bit positions. */
#ifndef PFS_WAL_KEY_H
#define PFS_WAL_KEY_H

#include <stdint.h>

enum pfs_key_type {
    PFS_KEY_INODE = 0x10,
    PFS_KEY_ORPHAN = 0x20,
    PFS_KEY_DENTRY = 0x30,
    PFS_KEY_XATTR = 0x40,
    PFS_KEY_PAGE = 0x50,
};

static inline int pfs_key_type_known(uint8_t type)
{
    return type != 0 && type % 0x10 == 0 && type <= PFS_KEY_PAGE;
}

struct pfs_key {
    uint8_t type; /* enum pfs_key_type */
    uint64_t a;
    uint64_t b;
};

static inline int pfs_key_cmp(const struct pfs_key *x, const struct pfs_key *y)
{
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return 0;
}

static inline struct pfs_key pfs_key(enum pfs_key_type type, uint64_t a, uint64_t b)
{
    return (struct pfs_key){.type = (uint8_t)type, .a = a, .b = b};
}

/* What a version of a key says. */
enum pfs_kind {
    PFS_KIND_VALUE = 1,  /* the whole value; of a page: its bytes, zeros from len to the end */
    PFS_KIND_ZERO = 2,   /* page: written, all zeros; no payload */
    PFS_KIND_DELTA = 3,  /* page: changed ranges over the version before (fs/pages/delta.h) */
    PFS_KIND_DELETE = 4, /* the key is gone; of a page: a hole */
};

#endif
