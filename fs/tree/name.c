#include "fs/tree/name.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

int pfs_name_check(const char *name)
{
    size_t len = strlen(name);

    if (len > PFS_NAME_MAX)
        return PFS_ENAMETOOLONG;
    if (len == 0 || memchr(name, '/', len))
        return PFS_EINVAL;
    return 0;
}

uint64_t pfs_name_slot(uint64_t name_seed, const char *name, size_t len)
{
    uint64_t h = pfs_hash(name, len, name_seed);

    h &= UINT64_C(0x7ffffffffffffffc); /* positions are signed, groups are four */
    return h < PFS_COOKIE_MIN ? h + PFS_COOKIE_MIN : h;
}

int pfs_dentry_decode(const void *data, size_t len, struct pfs_dentry *out)
{
    const unsigned char *p = data;

    if (len < PFS_DENTRY_FIXED || len > PFS_DENTRY_MAX)
        return pfs_fail(PFS_ECORRUPT, "a directory entry has the wrong length");
    out->child = pfs_get64(p);
    out->type = p[8];
    out->name = (const char *)p + PFS_DENTRY_FIXED;
    out->name_len = (uint8_t)(len - PFS_DENTRY_FIXED);
    if ((out->child == 0) != (out->name_len == 0))
        return pfs_fail(PFS_ECORRUPT, "a directory entry has no name or no inode");
    return 0;
}

/* What stands in a slot. PFS_ENOENT: nothing. */
static int read_slot(struct pfs_tree *tree, const struct pfs_key *key, pfs_lsn lsn,
                     struct pfs_buf *value, struct pfs_dentry *d)
{
    int err = pfs_store_get(tree->store, key, lsn, value, NULL);

    return err ? err : pfs_dentry_decode(value->data, value->len, d);
}

/* Walk a name's group. 0: found, *at is the slot. PFS_ENOENT: not there, *at is the first slot
 * that is free, PFS_SLOTS if none is. */
static int walk(struct pfs_tree *tree, uint64_t parent, const char *name, pfs_lsn lsn,
                struct pfs_name_slot *out, unsigned *at)
{
    size_t len = strlen(name);
    uint64_t first = pfs_name_slot(tree->config.name_seed, name, len);
    struct pfs_buf value;
    int err = PFS_ENOENT;

    pfs_buf_init(&value, PFS_RECORD_MAX);
    *at = PFS_SLOTS;
    for (unsigned i = 0; i < PFS_SLOTS; i++) {
        struct pfs_key key = pfs_key(PFS_KEY_DENTRY, parent, first + i);
        struct pfs_dentry d;

        err = read_slot(tree, &key, lsn, &value, &d);
        if (err == PFS_ENOENT || (!err && d.child == 0)) {
            if (*at == PFS_SLOTS)
                *at = i;
            if (err)
                break;
            err = PFS_ENOENT;
        } else if (err) {
            break;
        } else if (d.name_len == len && memcmp(d.name, name, len) == 0) {
            *out = (struct pfs_name_slot){.key = key, .child = d.child, .type = d.type};
            *at = i;
            break;
        } else {
            err = PFS_ENOENT;
        }
    }
    pfs_buf_release(&value);
    return err;
}

int pfs_dentry_find(struct pfs_tree *tree, uint64_t parent, const char *name, pfs_lsn lsn,
                    struct pfs_name_slot *out)
{
    unsigned at;

    return walk(tree, parent, name, lsn, out, &at);
}

int pfs_dentry_free_slot(struct pfs_tree *tree, uint64_t parent, const char *name,
                         struct pfs_name_slot *out)
{
    uint64_t at;
    unsigned free_at;
    int err = walk(tree, parent, name, PFS_LSN_MAX, out, &free_at);

    if (err != PFS_ENOENT)
        return err ? err : PFS_EEXIST;
    if (free_at == PFS_SLOTS)
        return pfs_fail(PFS_ENOSPC, "five names of a directory have the same hash");
    at = free_at + pfs_name_slot(tree->config.name_seed, name, strlen(name));
    *out = (struct pfs_name_slot){.key = pfs_key(PFS_KEY_DENTRY, parent, at)};
    return 0;
}

struct pfs_entry pfs_dentry_put_entry(const struct pfs_key *key, const char *name, uint64_t child,
                                      uint32_t mode, unsigned char *bytes)
{
    size_t len = strlen(name);

    pfs_put64(bytes, child);
    bytes[8] = (unsigned char)(mode >> 12);
    memcpy(bytes + PFS_DENTRY_FIXED, name, len);
    return (struct pfs_entry){.key = *key,
                              .kind = PFS_KIND_VALUE,
                              .len = (uint32_t)(PFS_DENTRY_FIXED + len),
                              .data = bytes};
}

void pfs_slot_placeholder(struct pfs_entry *entry, unsigned char *bytes)
{
    memset(bytes, 0, PFS_DENTRY_FIXED);
    entry->kind = PFS_KIND_VALUE;
    entry->data = bytes;
    entry->len = entry->key.type == PFS_KEY_DENTRY ? PFS_DENTRY_FIXED : 1;
}

bool pfs_slot_same_group(const struct pfs_key *x, const struct pfs_key *y)
{
    return x->type == y->type && x->a == y->a && x->b / PFS_SLOTS == y->b / PFS_SLOTS;
}

int pfs_slot_clear_entry(struct pfs_tree *tree, const struct pfs_key *key, unsigned char *bytes,
                         struct pfs_entry *out)
{
    struct pfs_key next = *key;
    struct pfs_buf value;
    int err = PFS_ENOENT;

    next.b++;
    if (next.b % PFS_SLOTS != 0) {
        pfs_buf_init(&value, PFS_RECORD_MAX);
        err = pfs_store_get(tree->store, &next, PFS_LSN_MAX, &value, NULL);
        pfs_buf_release(&value);
    }
    if (err && err != PFS_ENOENT)
        return err;
    *out = (struct pfs_entry){.key = *key, .kind = PFS_KIND_DELETE};
    if (!err) /* the next slot is taken: keep the chain */
        pfs_slot_placeholder(out, bytes);
    return 0;
}
