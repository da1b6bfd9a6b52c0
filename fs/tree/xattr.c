#include "fs/tree/xattr.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "fs/tree/acl.h"
#include "fs/tree/name.h"

/* Find a name's slot. 0: found, `value` holds what stands there, *b_out the slot. PFS_ENODATA: not
 * there, *b_out is the first free slot, or 0 if none is. */
static int find(struct pfs_tree *tree, uint64_t ino, const char *name, struct pfs_buf *value,
                uint64_t *b_out)
{
    size_t len = strlen(name);
    uint64_t first = pfs_name_slot(tree->config.name_seed, name, len);

    *b_out = 0;
    for (unsigned i = 0; i < PFS_SLOTS; i++) {
        struct pfs_key key = pfs_key(PFS_KEY_XATTR, ino, first + i);
        int err = pfs_store_get(tree->store, &key, PFS_LSN_MAX, value, NULL);

        if (err && err != PFS_ENOENT)
            return err;
        if (!err && (value->len < 1 || value->len < 1 + (size_t)value->data[0]))
            return pfs_fail(PFS_ECORRUPT, "an extended attribute is malformed");
        if ((err == PFS_ENOENT || value->data[0] == 0) && *b_out == 0)
            *b_out = first + i;
        if (err == PFS_ENOENT)
            break;
        if (value->data[0] == len && memcmp(value->data + 1, name, len) == 0) {
            *b_out = first + i;
            return 0;
        }
    }
    return PFS_ENODATA;
}

int pfs_xattr_read(struct pfs_tree *tree, uint64_t ino, const char *name, void *buf, size_t size,
                   size_t *len_out)
{
    struct pfs_buf value;
    uint64_t b;
    int err;

    pfs_buf_init(&value, PFS_RECORD_MAX);
    err = find(tree, ino, name, &value, &b);
    if (!err) {
        size_t skip = 1 + (size_t)value.data[0];

        *len_out = value.len - skip;
        if (*len_out > size)
            err = PFS_ERANGE;
        else if (*len_out > 0)
            memcpy(buf, value.data + skip, *len_out);
    }
    pfs_buf_release(&value);
    return err;
}

static struct pfs_entry put_entry(const struct pfs_key *key, const char *name, const void *value,
                                  size_t len, unsigned char *bytes)
{
    size_t name_len = strlen(name);

    bytes[0] = (unsigned char)name_len;
    memcpy(bytes + 1, name, name_len);
    if (len)
        memcpy(bytes + 1 + name_len, value, len);
    return (struct pfs_entry){
        .key = *key, .kind = PFS_KIND_VALUE, .len = (uint32_t)(1 + name_len + len), .data = bytes};
}

struct pfs_entry pfs_xattr_new_entry(struct pfs_tree *tree, uint64_t ino, const char *name,
                                     const void *value, size_t len, unsigned char *bytes)
{
    uint64_t slot = pfs_name_slot(tree->config.name_seed, name, strlen(name));
    struct pfs_key key = pfs_key(PFS_KEY_XATTR, ino, slot);

    return put_entry(&key, name, value, len, bytes);
}

int pfs_xattr_rewrite_entry(struct pfs_tree *tree, uint64_t ino, const char *name,
                            const void *value, size_t len, unsigned char *bytes,
                            struct pfs_entry *out, unsigned *n_out)
{
    struct pfs_key key = pfs_key(PFS_KEY_XATTR, ino, 0);
    struct pfs_buf old;
    int err;

    pfs_buf_init(&old, PFS_RECORD_MAX);
    err = find(tree, ino, name, &old, &key.b);
    pfs_buf_release(&old);
    *n_out = err == 0;
    if (err)
        return err == PFS_ENODATA ? 0 : err;
    *out = put_entry(&key, name, value, len, bytes);
    return 0;
}

int pfs_xattr_clear_entry(struct pfs_tree *tree, const struct pfs_inode *inode, const char *name,
                          unsigned char *bytes, struct pfs_entry *out)
{
    struct pfs_key key = pfs_key(PFS_KEY_XATTR, inode->ino, 0);
    struct pfs_buf old;
    int err = PFS_ENODATA;

    pfs_buf_init(&old, PFS_RECORD_MAX);
    if (inode->v.n_xattrs > 0)
        err = find(tree, inode->ino, name, &old, &key.b);
    pfs_buf_release(&old);
    return err ? err : pfs_slot_clear_entry(tree, &key, bytes, out);
}

/* The namespaces of xattr(7); of system.* only what is implemented. */
static int check_name(const char *name)
{
    static const char *const spaces[] = {"user.", "trusted.", "security."};
    size_t len = strlen(name);

    if (len == 0 || len > PFS_NAME_MAX)
        return PFS_ERANGE;
    if (strcmp(name, PFS_ACL_ACCESS) == 0 || strcmp(name, PFS_ACL_DEFAULT) == 0)
        return 0;
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        size_t prefix = strlen(spaces[i]);

        if (strncmp(name, spaces[i], prefix) == 0)
            return len > prefix ? 0 : PFS_EINVAL;
    }
    return PFS_ENOTSUP;
}

int pfs_tree_getxattr(struct pfs_tree *tree, uint64_t ino, const char *name, void *value,
                      size_t size, size_t *len_out)
{
    struct pfs_inode *inode;
    bool any;
    int err = check_name(name);

    if (err)
        return err;
    err = pfs_inode_get(tree, ino, &inode);
    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    any = inode->v.n_xattrs > 0;
    pthread_mutex_unlock(&inode->mu);
    *len_out = 0;
    err = any ? pfs_xattr_read(tree, ino, name, value, size, len_out) : PFS_ENODATA;
    pfs_inode_put(tree, inode, 1);
    return err == PFS_ERANGE && size == 0 ? 0 : err;
}

/* The record of setting or removing; c is the inode's part. Holds inode->mu. */
static int commit(struct pfs_tree *tree, enum pfs_op op, const struct pfs_entry *entry,
                  struct pfs_change *c)
{
    struct pfs_entry entries[2] = {*entry};
    pfs_lsn lsn;
    int err;

    c->v.ctime_ns = pfs_wall_ns();
    entries[1] = pfs_change_entry(c);
    err = pfs_store_commit(tree->store, op, entries, 2, &lsn);
    if (!err)
        pfs_change_apply(c, lsn);
    return err;
}

static int remove_locked(struct pfs_tree *tree, struct pfs_inode *inode, const char *name)
{
    unsigned char bytes[PFS_DENTRY_FIXED];
    struct pfs_entry entry;
    struct pfs_change c;
    int err = pfs_xattr_clear_entry(tree, inode, name, bytes, &entry);

    if (err)
        return err;
    pfs_change_begin(&c, inode);
    c.v.n_xattrs--;
    return commit(tree, PFS_OP_REMOVEXATTR, &entry, &c);
}

struct setting {
    const char *name;
    const void *value;
    size_t size;
    int flags;
    bool kill_sgid;
};

static int set_locked(struct pfs_tree *tree, struct pfs_inode *inode, const struct setting *s)
{
    unsigned char *bytes = malloc(1 + PFS_NAME_MAX + s->size);
    struct pfs_entry entry;
    struct pfs_change c;
    struct pfs_buf old;
    uint64_t b;
    int err, found;

    if (!bytes)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    pfs_buf_init(&old, PFS_RECORD_MAX);
    err = found = find(tree, inode->ino, s->name, &old, &b);
    pfs_buf_release(&old);
    if (found == 0)
        err = s->flags & XATTR_CREATE ? PFS_EEXIST : 0;
    else if (found == PFS_ENODATA)
        err = s->flags & XATTR_REPLACE ? PFS_ENODATA : b == 0 ? PFS_ENOSPC : 0;
    if (!err) {
        struct pfs_key key = pfs_key(PFS_KEY_XATTR, inode->ino, b);
        bool minimal;

        pfs_change_begin(&c, inode);
        if (strcmp(s->name, PFS_ACL_ACCESS) == 0)
            err = pfs_acl_to_mode(s->value, s->size, &c.v.mode, &minimal);
        if (s->kill_sgid)
            c.v.mode &= ~(uint32_t)S_ISGID;
        if (found != 0)
            c.v.n_xattrs++;
        if (strcmp(s->name, PFS_XATTR_CAPS) == 0)
            inode->no_caps = false;
        entry = put_entry(&key, s->name, s->value, s->size, bytes);
    }
    if (!err)
        err = commit(tree, PFS_OP_SETXATTR, &entry, &c);
    free(bytes);
    return err;
}

/* What setfacl -b leaves is no more than the mode: set that and take the attribute away. */
static int set_minimal_acl(struct pfs_tree *tree, struct pfs_inode *inode, const struct setting *s,
                           uint32_t mode)
{
    unsigned char bytes[PFS_DENTRY_FIXED];
    struct pfs_entry entries[2];
    struct pfs_change c;
    unsigned n = 0;
    pfs_lsn lsn;
    int err = pfs_xattr_clear_entry(tree, inode, s->name, bytes, &entries[0]);

    if (err && err != PFS_ENODATA)
        return err;
    pfs_change_begin(&c, inode);
    if (!err) {
        c.v.n_xattrs--;
        n++;
    }
    c.v.mode = s->kill_sgid ? mode & ~(uint32_t)S_ISGID : mode;
    c.v.ctime_ns = pfs_wall_ns();
    entries[n++] = pfs_change_entry(&c);
    err = pfs_store_commit(tree->store, PFS_OP_SETXATTR, entries, n, &lsn);
    if (!err)
        pfs_change_apply(&c, lsn);
    return err;
}

static int set_acl(struct pfs_tree *tree, struct pfs_inode *inode, const struct setting *s)
{
    uint32_t mode = inode->v.mode;
    bool minimal = false;
    int err = pfs_acl_check(s->value, s->size);

    if (!err && strcmp(s->name, PFS_ACL_ACCESS) == 0)
        err = pfs_acl_to_mode(s->value, s->size, &mode, &minimal);
    if (err)
        return err;
    return minimal ? set_minimal_acl(tree, inode, s, mode) : set_locked(tree, inode, s);
}

int pfs_tree_setxattr(struct pfs_tree *tree, uint64_t ino, const char *name, const void *value,
                      size_t size, int flags, bool kill_sgid)
{
    struct setting s = {
        .name = name, .value = value, .size = size, .flags = flags, .kill_sgid = kill_sgid};
    struct pfs_inode *inode;
    int err = tree->readonly ? PFS_EROFS : check_name(name);

    if (err)
        return err;
    if (size > PFS_XATTR_MAX || (flags & ~(XATTR_CREATE | XATTR_REPLACE)))
        return PFS_EINVAL;
    err = pfs_inode_get(tree, ino, &inode);
    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    if (inode->gone) /* as if it came just before the last name went */
        err = 0;
    else if (strcmp(name, PFS_ACL_ACCESS) == 0 || strcmp(name, PFS_ACL_DEFAULT) == 0)
        err = set_acl(tree, inode, &s);
    else
        err = set_locked(tree, inode, &s);
    pthread_mutex_unlock(&inode->mu);
    pfs_inode_put(tree, inode, 1);
    return err;
}

int pfs_tree_removexattr(struct pfs_tree *tree, uint64_t ino, const char *name)
{
    struct pfs_inode *inode;
    int err = tree->readonly ? PFS_EROFS : check_name(name);

    if (err)
        return err;
    err = pfs_inode_get(tree, ino, &inode);
    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    if (inode->v.n_xattrs == 0)
        err = PFS_ENODATA;
    else if (inode->gone)
        err = 0;
    else
        err = remove_locked(tree, inode, name);
    pthread_mutex_unlock(&inode->mu);
    pfs_inode_put(tree, inode, 1);
    return err;
}

static int collect_names(struct pfs_tree *tree, uint64_t ino, struct pfs_buf *names)
{
    struct pfs_key from = pfs_key(PFS_KEY_XATTR, ino, 0);
    struct pfs_key to = pfs_key(PFS_KEY_XATTR, ino, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(tree->store, &from, &to, PFS_LSN_MAX, &scan);

    if (err)
        return err;
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        const unsigned char *data = v.data;

        if (v.len < 1 || v.len < 1 + (uint32_t)data[0])
            err = pfs_fail(PFS_ECORRUPT, "an extended attribute is malformed");
        else if (data[0] > 0)
            err = pfs_buf_add(names, data + 1, data[0]);
        if (!err && data[0] > 0)
            err = pfs_buf_add(names, "", 1);
        if (err)
            break;
    }
    pfs_scan_end(scan);
    return err == PFS_ENOENT ? 0 : err;
}

int pfs_tree_listxattr(struct pfs_tree *tree, uint64_t ino, char *list, size_t size,
                       size_t *len_out)
{
    struct pfs_inode *inode;
    struct pfs_buf names;
    bool any;
    int err = pfs_inode_get(tree, ino, &inode);

    if (err)
        return err;
    pfs_mutex_lock(&inode->mu);
    any = inode->v.n_xattrs > 0;
    pthread_mutex_unlock(&inode->mu);
    pfs_buf_init(&names, PFS_XATTR_MAX);
    if (any)
        err = collect_names(tree, ino, &names);
    if (!err) {
        *len_out = names.len;
        if (size > 0 && names.len > size)
            err = PFS_ERANGE;
        else if (size > 0 && names.len > 0)
            memcpy(list, names.data, names.len);
    }
    pfs_buf_release(&names);
    pfs_inode_put(tree, inode, 1);
    return err;
}
