/* Names to keys: where a directory entry or an extended attribute stands. Private to fs/tree.
 *
 * A name hashes to a group of four slots; b of its key is the slot. It stands in the first slot of
 * the group that was free, and two names in one group are a matter of 2^-61, so that one get finds
 * a name or shows that it isn't there. A slot is only emptied when the next one is empty; else a
 * placeholder (owner 0, no name) keeps the chain.
 *
 *   value of an entry:      child u64 | type u8 (mode >> 12) | name
 *   value of an attribute:  name length u8 | name | value
 */
#ifndef PFS_TREE_NAME_H
#define PFS_TREE_NAME_H

#include "base/buf.h"
#include "fs/tree/inode.h"

#define PFS_SLOTS        4
#define PFS_COOKIE_MIN   16 /* readdir positions below are for "." and ".." */
#define PFS_DENTRY_FIXED 9
#define PFS_DENTRY_MAX   (PFS_DENTRY_FIXED + PFS_NAME_MAX)

struct pfs_dentry {
    uint64_t child; /* 0: a placeholder */
    uint8_t type;   /* mode >> 12 */
    uint8_t name_len;
    const char *name; /* not terminated; borrowed from the value */
};

/* Errors: PFS_ECORRUPT. */
int pfs_dentry_decode(const void *data, size_t len, struct pfs_dentry *out) PFS_MUST_USE;

/* Where a name stands, or would. */
struct pfs_name_slot {
    struct pfs_key key;
    uint64_t child;
    uint8_t type;
};

/* Errors: PFS_ENOENT: not there. */
int pfs_dentry_find(struct pfs_tree *tree, uint64_t parent, const char *name, pfs_lsn lsn,
                    struct pfs_name_slot *out) PFS_MUST_USE;
/* A free slot for a name that isn't there. Errors: PFS_EEXIST: it is there (*out says where);
 * PFS_ENOSPC: all four are taken. */
int pfs_dentry_free_slot(struct pfs_tree *tree, uint64_t parent, const char *name,
                         struct pfs_name_slot *out) PFS_MUST_USE;

/* The entry that puts a name to a slot; bytes (PFS_DENTRY_MAX) must outlive it. */
struct pfs_entry pfs_dentry_put_entry(const struct pfs_key *key, const char *name, uint64_t child,
                                      uint32_t mode, unsigned char *bytes);
/* The entry that empties a slot of a directory or of attributes. */
int pfs_slot_clear_entry(struct pfs_tree *tree, const struct pfs_key *key, unsigned char *bytes,
                         struct pfs_entry *out) PFS_MUST_USE;

/* Make of an entry one that keeps its slot as a placeholder. */
void pfs_slot_placeholder(struct pfs_entry *entry, unsigned char *bytes);
bool pfs_slot_same_group(const struct pfs_key *x, const struct pfs_key *y);

/* 0, or PFS_ENAMETOOLONG, PFS_EINVAL (empty, has a slash). */
int pfs_name_check(const char *name) PFS_MUST_USE;

/* The first slot of a name's group. */
uint64_t pfs_name_slot(uint64_t name_seed, const char *name, size_t len);

#endif
