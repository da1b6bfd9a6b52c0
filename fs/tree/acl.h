/* POSIX ACLs: kept as the xattrs system.posix_acl_access and …_default, enforced by the kernel.
 * What is left to the filesystem: the mode's group bits are the access ACL's mask, chmod changes
 * the ACL with the mode, and new inodes inherit the default ACL. Private to fs/tree.
 * Source of the format: Linux, include/uapi/linux/posix_acl_xattr.h (version 2). */
#ifndef PFS_TREE_ACL_H
#define PFS_TREE_ACL_H

#include "fs/tree/inode.h"

#define PFS_ACL_ACCESS  "system.posix_acl_access"
#define PFS_ACL_DEFAULT "system.posix_acl_default"
#define PFS_ACL_ENTRIES 2 /* journal entries that inheriting takes at most */
#define PFS_ACL_BYTES   ((size_t)4096)

struct pfs_acl_inherited {
    unsigned n;
    struct pfs_entry entries[PFS_ACL_ENTRIES];
    unsigned char *bytes; /* what they point to, or NULL */
};

/* Make the mode of a new inode: by dir's default ACL, whose xattrs for the inode go to *out, or by
 * the umask where there is none. Sets v->mode, v->n_xattrs. Holds dir->mu. */
int pfs_acl_inherit(struct pfs_tree *tree, struct pfs_inode *dir, uint64_t ino, uint32_t umask,
                    struct pfs_ivalue *v, struct pfs_acl_inherited *out) PFS_MUST_USE;
void pfs_acl_inherited_release(struct pfs_acl_inherited *acls);

/* A new access ACL brings the mode's permission bits. PFS_EINVAL: malformed. *minimal_out: it says
 * no more than the mode does, so it need not be kept. */
int pfs_acl_to_mode(const void *acl, size_t len, uint32_t *mode, bool *minimal_out) PFS_MUST_USE;

/* An ACL that can be kept? PFS_EINVAL: malformed; PFS_ENOSPC: over PFS_ACL_BYTES. */
int pfs_acl_check(const void *acl, size_t len) PFS_MUST_USE;

/* Make an access ACL (in place) say what the mode now says, after chmod. */
int pfs_acl_chmod(void *acl, size_t len, uint32_t mode) PFS_MUST_USE;

#endif
