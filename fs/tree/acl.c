#include "fs/tree/acl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "fs/tree/xattr.h"

/*   header: version u32 = 2;  entries: tag u16 | perm u16 | id u32  */
#define ACL_VERSION UINT32_C(2)
#define ACL_HEADER  4
#define ACL_ENTRY   8

/* An ACL as its xattr's key holds it. */
#define PFS_ACL_STANDING (PFS_ACL_BYTES + 64)

enum {
    USER_OBJ = 0x01,
    USER = 0x02,
    GROUP_OBJ = 0x04,
    GROUP = 0x08,
    MASK = 0x10,
    OTHER = 0x20,
};

/* The entries that correspond to the mode; NULL where there is none. */
struct acl_parts {
    unsigned char *user_obj, *group_obj, *mask, *other;
    bool named;
};

static int parse(unsigned char *acl, size_t len, struct acl_parts *parts)
{
    memset(parts, 0, sizeof(*parts));
    if (len < ACL_HEADER || (len - ACL_HEADER) % ACL_ENTRY != 0 || pfs_get32(acl) != ACL_VERSION)
        return PFS_EINVAL;
    for (size_t at = ACL_HEADER; at < len; at += ACL_ENTRY) {
        unsigned char *entry = acl + at;

        if (pfs_get16(entry + 2) & ~7u)
            return PFS_EINVAL;
        switch (pfs_get16(entry)) {
        case USER_OBJ:
            parts->user_obj = entry;
            break;
        case GROUP_OBJ:
            parts->group_obj = entry;
            break;
        case MASK:
            parts->mask = entry;
            break;
        case OTHER:
            parts->other = entry;
            break;
        case USER:
        case GROUP:
            parts->named = true;
            break;
        default:
            return PFS_EINVAL;
        }
    }
    if (!parts->user_obj || !parts->group_obj || !parts->other || (parts->named && !parts->mask))
        return PFS_EINVAL;
    return 0;
}

static uint32_t perm(const unsigned char *entry)
{
    return pfs_get16(entry + 2);
}

static void set_perm(unsigned char *entry, uint32_t bits)
{
    pfs_put16(entry + 2, (uint16_t)(bits & 7));
}

/* The entry behind the mode's group bits. */
static unsigned char *group_class(const struct acl_parts *parts)
{
    return parts->mask ? parts->mask : parts->group_obj;
}

int pfs_acl_to_mode(const void *acl, size_t len, uint32_t *mode, bool *minimal_out)
{
    struct acl_parts parts;
    int err = parse((unsigned char *)(uintptr_t)acl, len, &parts);

    if (err)
        return err;
    *mode = (*mode & ~UINT32_C(0777)) | perm(parts.user_obj) << 6 | perm(group_class(&parts)) << 3 |
            perm(parts.other);
    *minimal_out = !parts.named && !parts.mask;
    return 0;
}

int pfs_acl_check(const void *acl, size_t len)
{
    struct acl_parts parts;

    if (len > PFS_ACL_BYTES)
        return pfs_fail(PFS_ENOSPC, "an ACL of more than %zu bytes", PFS_ACL_BYTES);
    return parse((unsigned char *)(uintptr_t)acl, len, &parts);
}

int pfs_acl_chmod(void *acl, size_t len, uint32_t mode)
{
    struct acl_parts parts;
    int err = parse(acl, len, &parts);

    if (err)
        return err;
    set_perm(parts.user_obj, mode >> 6);
    set_perm(group_class(&parts), mode >> 3);
    set_perm(parts.other, mode);
    return 0;
}

/* What the creator asked for limits what the ACL grants, and the result is the mode. */
static int mask_by_mode(unsigned char *acl, size_t len, uint32_t *mode, bool *minimal)
{
    struct acl_parts parts;
    int err = parse(acl, len, &parts);

    if (err)
        return err;
    set_perm(parts.user_obj, perm(parts.user_obj) & *mode >> 6);
    set_perm(group_class(&parts), perm(group_class(&parts)) & *mode >> 3);
    set_perm(parts.other, perm(parts.other) & *mode);
    return pfs_acl_to_mode(acl, len, mode, minimal);
}

int pfs_acl_inherit(struct pfs_tree *tree, struct pfs_inode *dir, uint64_t ino, uint32_t umask,
                    struct pfs_ivalue *v, struct pfs_acl_inherited *out)
{
    unsigned char *access, *standing;
    size_t len = 0;
    bool minimal;
    int err;

    memset(out, 0, sizeof(*out));
    if (S_ISLNK(v->mode))
        return 0;
    out->bytes = dir->v.n_xattrs ? malloc(2 * PFS_ACL_BYTES + 2 * PFS_ACL_STANDING) : NULL;
    err = PFS_ENODATA;
    if (dir->v.n_xattrs && !out->bytes)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    if (dir->v.n_xattrs)
        err = pfs_xattr_read(tree, dir->ino, PFS_ACL_DEFAULT, out->bytes, PFS_ACL_BYTES, &len);
    if (err == PFS_ENODATA) {
        v->mode &= ~umask;
        return 0;
    }
    access = out->bytes + PFS_ACL_BYTES;
    standing = access + PFS_ACL_BYTES;
    if (!err) {
        memcpy(access, out->bytes, len);
        err = mask_by_mode(access, len, &v->mode, &minimal);
    }
    if (err) {
        pfs_acl_inherited_release(out);
        return err;
    }
    if (!minimal)
        out->entries[out->n++] =
            pfs_xattr_new_entry(tree, ino, PFS_ACL_ACCESS, access, len, standing);
    if (S_ISDIR(v->mode))
        out->entries[out->n++] = pfs_xattr_new_entry(tree, ino, PFS_ACL_DEFAULT, out->bytes, len,
                                                     standing + PFS_ACL_STANDING);
    v->n_xattrs = out->n;
    return 0;
}

void pfs_acl_inherited_release(struct pfs_acl_inherited *acls)
{
    free(acls->bytes);
    acls->bytes = NULL;
}
