/* Extended attributes as keys. Private to fs/tree. The slots are as in name.h; the value is
 * name length u8 | name | value, a placeholder one zero byte. */
#ifndef PFS_TREE_XATTR_H
#define PFS_TREE_XATTR_H

#include "fs/tree/inode.h"

#define PFS_XATTR_CAPS "security.capability" /* what a program may do; goes when it is written to */

/* The value into buf; *len_out is its length even if it doesn't fit (PFS_ERANGE). PFS_ENODATA. */
int pfs_xattr_read(struct pfs_tree *tree, uint64_t ino, const char *name, void *buf, size_t size,
                   size_t *len_out) PFS_MUST_USE;

/* The entry for an attribute of an inode that has none with the same hash yet (a new one). bytes:
 * 1 + strlen(name) + len, must outlive the entry. */
struct pfs_entry pfs_xattr_new_entry(struct pfs_tree *tree, uint64_t ino, const char *name,
                                     const void *value, size_t len, unsigned char *bytes);

/* The entry that replaces the value of an attribute that is there; *n_out is 0 if it isn't. */
int pfs_xattr_rewrite_entry(struct pfs_tree *tree, uint64_t ino, const char *name,
                            const void *value, size_t len, unsigned char *bytes,
                            struct pfs_entry *out, unsigned *n_out) PFS_MUST_USE;

/* The entry that takes an attribute away; bytes (PFS_DENTRY_FIXED) must outlive it. PFS_ENODATA.
 * Holds inode->mu. */
int pfs_xattr_clear_entry(struct pfs_tree *tree, const struct pfs_inode *inode, const char *name,
                          unsigned char *bytes, struct pfs_entry *out) PFS_MUST_USE;

#endif
