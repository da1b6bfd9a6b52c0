/* Names: do they stand where lookup looks for them, and do they agree with their inodes? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/check.h"
#include "fs/tree/name.h"

/* The group of slots that the pass is in. */
struct group {
    struct pfs_key last; /* slot seen last; type 0: none yet */
    unsigned n;          /* names of it */
    uint8_t len[PFS_SLOTS];
    char names[PFS_SLOTS][PFS_NAME_MAX];
};

/* A name for people: what can't be printed as \xHH, long ones cut. */
static const char *printable(char out[160], const char *name, size_t len)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)name[i];

        if (at > 150) {
            at += (size_t)sprintf(out + at, "...");
            break;
        }
        if (ch < 0x20 || ch == 0x7f || ch == '"' || ch == '\\')
            at += (size_t)sprintf(out + at, "\\x%02x", ch);
        else
            out[at++] = (char)ch;
    }
    out[at] = '\0';
    return out;
}

static const char *what_of(const struct pfs_key *key)
{
    return key->type == PFS_KEY_DENTRY ? "entry" : "attribute";
}

/* The slot follows the one before in its group, or is the group's first. Placeholders count. */
static void check_slot(struct check *c, struct group *g, const struct pfs_key *key)
{
    bool same = g->last.type == key->type && pfs_slot_same_group(&g->last, key);
    uint64_t expected = same ? g->last.b + 1 : key->b - key->b % PFS_SLOTS;

    if (!same)
        g->n = 0;
    if (key->b != expected)
        check_fault(c,
                    "inode %" PRIu64 ": slot %016" PRIx64
                    " of an %s can't be found, since %016" PRIx64 " before it is empty",
                    key->a, key->b, what_of(key), expected);
    g->last = *key;
}

/* The name hashes to this group, and stands in it once. */
static void check_name(struct check *c, struct group *g, const struct pfs_key *key,
                       const char *name, size_t len)
{
    uint64_t first = pfs_name_slot(c->name_seed, name, len);
    char text[160];

    if (key->b < first || key->b >= first + PFS_SLOTS)
        check_fault(c,
                    "inode %" PRIu64 ": %s \"%s\" can't be found: it is in slot %016" PRIx64
                    ", its name belongs to %016" PRIx64,
                    key->a, what_of(key), printable(text, name, len), key->b, first);
    for (unsigned i = 0; i < g->n; i++)
        if (g->len[i] == len && memcmp(g->names[i], name, len) == 0)
            check_fault(c, "inode %" PRIu64 ": %s \"%s\" is there twice", key->a, what_of(key),
                        printable(text, name, len));
    if (g->n < PFS_SLOTS) {
        g->len[g->n] = (uint8_t)len;
        memcpy(g->names[g->n++], name, len);
    }
}

/* --- directory entries ------------------------------------------------------------------------ */

static void check_child(struct check *c, const struct pfs_key *key, const struct pfs_dentry *d,
                        struct check_node *parent)
{
    struct check_node *child = check_find(c, d->child);
    char text[160];

    printable(text, d->name, d->name_len);
    if (!child) {
        check_fault(c, "inode %" PRIu64 ": entry \"%s\" names inode %" PRIu64 ", which isn't there",
                    key->a, text, d->child);
        return;
    }
    if (child->type != d->type)
        check_fault(
            c, "inode %" PRIu64 ": entry \"%s\" is of type %u, but inode %" PRIu64 " of type %u",
            key->a, text, d->type, d->child, child->type);
    if (child->type != S_IFDIR >> 12) {
        child->links++;
        return;
    }
    if (child->named || child->ino == PFS_ROOT_INO)
        check_fault(c, "inode %" PRIu64 ": entry \"%s\" is another name of the directory %" PRIu64,
                    key->a, text, d->child);
    else if (child->parent != key->a)
        check_fault(c,
                    "inode %" PRIu64 ": entry \"%s\" names the directory %" PRIu64
                    ", which says that it is in %" PRIu64,
                    key->a, text, d->child, child->parent);
    child->named = true;
    if (parent)
        parent->links++;
}

static void check_dentry(struct check *c, struct group *g, const struct pfs_key *key,
                         const struct pfs_dentry *d)
{
    struct check_node *parent = check_find(c, key->a);
    char text[160];

    c->stats->entries++;
    printable(text, d->name, d->name_len);
    if (!parent)
        check_fault(c, "inode %" PRIu64 ": entry \"%s\" in a directory that isn't there", key->a,
                    text);
    else if (parent->type != S_IFDIR >> 12)
        check_fault(c, "inode %" PRIu64 ": entry \"%s\" in what is no directory", key->a, text);
    else
        parent->entries_left--;
    check_name(c, g, key, d->name, d->name_len);
    if (memchr(d->name, '/', d->name_len) || memchr(d->name, '\0', d->name_len) ||
        (d->name[0] == '.' && (d->name_len == 1 || (d->name_len == 2 && d->name[1] == '.'))))
        check_fault(c, "inode %" PRIu64 ": \"%s\" is no name for an entry", key->a, text);
    check_child(c, key, d, parent);
}

int check_dentries(struct check *c)
{
    struct pfs_key from = pfs_key(PFS_KEY_DENTRY, 0, 0);
    struct pfs_key to = pfs_key(PFS_KEY_DENTRY, UINT64_MAX, UINT64_MAX);
    struct group group = {0};
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan);

    if (err)
        return check_judge(c, err, "directory entries can't be read");
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        struct pfs_dentry d;

        check_step(c);
        check_slot(c, &group, &v.key);
        err = pfs_dentry_decode(v.data, v.len, &d);
        if (!err && d.child != 0)
            check_dentry(c, &group, &v.key, &d);
        else if (err)
            err = check_judge(c, err, "inode %" PRIu64 ": slot %016" PRIx64, v.key.a, v.key.b);
        if (err)
            break;
    }
    pfs_scan_end(scan);
    c->names_known = err == PFS_ENOENT;
    return c->names_known ? 0 : check_judge(c, err, "directory entries can't be read");
}

/* --- extended attributes ---------------------------------------------------------------------- */

static void check_xattr(struct check *c, struct group *g, struct check_node *node,
                        const struct pfs_version *v)
{
    const unsigned char *p = v->data;

    check_slot(c, g, &v->key);
    if (v->len < 1 || v->len < 1 + (size_t)p[0]) {
        check_fault(c, "inode %" PRIu64 ": attribute in slot %016" PRIx64 " is malformed", v->key.a,
                    v->key.b);
        return;
    }
    if (p[0] == 0)
        return; /* keeps the place */
    node->xattrs_left--;
    check_name(c, g, &v->key, (const char *)p + 1, p[0]);
}

int check_xattrs(struct check *c)
{
    struct pfs_key from = pfs_key(PFS_KEY_XATTR, 0, 0);
    struct pfs_key to = pfs_key(PFS_KEY_XATTR, UINT64_MAX, UINT64_MAX);
    struct group group = {0};
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(c->store, &from, &to, c->lsn, &scan);

    if (err)
        return check_judge(c, err, "extended attributes can't be read");
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        struct check_node *node = check_find(c, v.key.a);

        check_step(c);
        if (node) /* else they wait for garbage collection */
            check_xattr(c, &group, node, &v);
    }
    pfs_scan_end(scan);
    c->xattrs_known = err == PFS_ENOENT;
    return c->xattrs_known ? 0 : check_judge(c, err, "extended attributes can't be read");
}
