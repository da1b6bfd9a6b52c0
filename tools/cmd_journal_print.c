/* Journal records for people and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/ivalue.h"
#include "fs/tree/name.h"
#include "tools/cmd.h"
#include "tools/cmd_journal.h"

#define NAME_TEXT (4 * PFS_NAME_MAX + 1)

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {"?", "value", "zero", "delta", "delete"};

    return names[kind < sizeof(names) / sizeof(names[0]) ? kind : 0];
}

static char type_letter(unsigned type)
{
    switch (type) {
    case PFS_KEY_INODE:
        return 'I';
    case PFS_KEY_ORPHAN:
        return 'O';
    case PFS_KEY_DENTRY:
        return 'D';
    case PFS_KEY_XATTR:
        return 'X';
    case PFS_KEY_PAGE:
        return 'P';
    default:
        return '?';
    }
}

static const char *file_type(unsigned type)
{
    switch (type << 12) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "symlink";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
        return "character device";
    case S_IFBLK:
        return "block device";
    default:
        return "?";
    }
}

/* What would spoil a line, or isn't ASCII and may not be UTF-8, as \xHH. */
static const char *name_text(char out[NAME_TEXT], const char *name, size_t len)
{
    char *at = out;

    for (size_t i = 0; i < len && i < PFS_NAME_MAX; i++) {
        unsigned char c = (unsigned char)name[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            at += sprintf(at, "\\x%02x", c);
        else
            *at++ = (char)c;
    }
    *at = '\0';
    return out;
}

/* The name of an attribute; false if the value is malformed. */
static bool xattr_name(const struct pfs_entry *e, const char **name, size_t *len)
{
    const unsigned char *p = e->data;

    if (e->kind != PFS_KIND_VALUE || e->len < 1 || e->len < 1 + (uint32_t)p[0])
        return false;
    *name = (const char *)p + 1;
    *len = p[0];
    return true;
}

static bool dentry(const struct pfs_entry *e, struct pfs_dentry *d)
{
    return e->kind == PFS_KIND_VALUE && pfs_dentry_decode(e->data, e->len, d) == 0;
}

/* --- a line each ------------------------------------------------------------------------------ */

void cmd_journal_print_head(const struct cmd_journal_form *form)
{
    if (!form->json)
        printf("%-17s %-24s %-11s %9s %7s\n", "LSN", "TIME", "OPERATION", "BYTES", "ENTRIES");
}

static void print_inode(const struct pfs_entry *e)
{
    struct pfs_ivalue v;

    if (e->kind != PFS_KIND_VALUE)
        return;
    if (pfs_ivalue_decode(e->data, e->len, PFS_LSN_MAX, &v)) {
        printf(" (malformed)");
        return;
    }
    printf(" %s mode %04o nlink %u uid %u gid %u size %" PRIu64, file_type(v.mode >> 12),
           (unsigned)v.mode & 07777, (unsigned)v.nlink, (unsigned)v.uid, (unsigned)v.gid, v.size);
    if (S_ISDIR(v.mode))
        printf(" parent %" PRIu64, v.parent);
    else
        printf(" pages %" PRIu64, v.pages);
    if (v.n_xattrs)
        printf(" xattrs %u", (unsigned)v.n_xattrs);
    if (v.n_marks)
        printf(" marks %u", v.n_marks);
    pfs_ivalue_release(&v);
}

static void print_entry(const struct pfs_entry *e)
{
    char text[NAME_TEXT];
    struct pfs_dentry d;
    const char *name;
    size_t len;

    printf("    %c ", type_letter(e->key.type));
    switch (e->key.type) {
    case PFS_KEY_PAGE:
        printf("%" PRIu64 " page %" PRIu64 " %s %u", e->key.a, e->key.b, kind_name(e->kind),
               (unsigned)e->len);
        if (e->kind == PFS_KIND_DELTA)
            printf(" depth %u", e->depth);
        break;
    case PFS_KEY_INODE:
        printf("%" PRIu64 " %s", e->key.a, kind_name(e->kind));
        print_inode(e);
        break;
    case PFS_KEY_DENTRY:
        printf("%" PRIu64 " slot %016" PRIx64 " %s", e->key.a, e->key.b, kind_name(e->kind));
        if (dentry(e, &d) && d.child)
            printf(" \"%s\" is %s %" PRIu64, name_text(text, d.name, d.name_len), file_type(d.type),
                   d.child);
        break;
    case PFS_KEY_XATTR:
        printf("%" PRIu64 " slot %016" PRIx64 " %s", e->key.a, e->key.b, kind_name(e->kind));
        if (xattr_name(e, &name, &len) && len)
            printf(" \"%s\" %zu", name_text(text, name, len), e->len - 1 - len);
        break;
    default:
        printf("%" PRIu64 " %s", e->key.a, kind_name(e->kind));
        break;
    }
    putchar('\n');
}

static void print_text(const struct cmd_journal_form *form, const struct pfs_record *rec,
                       const struct pfs_entry *entries)
{
    printf("%-17s %s %-11s %9u %7u\n", pfs_lsn_print(rec->lsn).s, cmd_time(rec->time_ns).s,
           pfs_op_name(rec->op), (unsigned)rec->len, (unsigned)rec->n_entries);
    for (unsigned i = 0; form->entries && i < rec->n_entries; i++)
        print_entry(&entries[i]);
}

/* --- JSON lines ------------------------------------------------------------------------------- */

/* Names are bytes, JSON is UTF-8: a name that isn't gets escaped, and the field another name. */
static void set_name(json_t *j, const char *name, size_t len)
{
    json_t *string = json_stringn(name, len);
    char text[NAME_TEXT];

    if (string)
        json_object_set_new(j, "name", string);
    else
        json_object_set_new(j, "name_escaped", json_string(name_text(text, name, len)));
}

static void set_number(json_t *j, const char *name, uint64_t value)
{
    json_object_set_new(j, name, json_integer((json_int_t)value));
}

static void set_inode(json_t *j, const struct pfs_entry *e)
{
    struct pfs_ivalue v;

    if (e->kind != PFS_KIND_VALUE || pfs_ivalue_decode(e->data, e->len, PFS_LSN_MAX, &v))
        return;
    json_object_set_new(j, "type", json_string(file_type(v.mode >> 12)));
    set_number(j, "mode", v.mode & 07777);
    set_number(j, "nlink", v.nlink);
    set_number(j, "uid", v.uid);
    set_number(j, "gid", v.gid);
    set_number(j, "size", v.size);
    set_number(j, "pages", v.pages);
    set_number(j, "mtime_ns", v.mtime_ns);
    set_number(j, "parent", v.parent);
    set_number(j, "xattrs", v.n_xattrs);
    set_number(j, "marks", v.n_marks);
    pfs_ivalue_release(&v);
}

static json_t *entry_json(const struct pfs_entry *e)
{
    const char letter[2] = {type_letter(e->key.type), '\0'};
    json_t *j = json_object();
    struct pfs_dentry d;
    const char *name;
    size_t len;

    json_object_set_new(j, "key", json_string(letter));
    set_number(j, e->key.type == PFS_KEY_DENTRY ? "parent" : "ino", e->key.a);
    json_object_set_new(j, "kind", json_string(kind_name(e->kind)));
    set_number(j, "len", e->len);
    if (e->key.type == PFS_KEY_PAGE) {
        set_number(j, "page", e->key.b);
        set_number(j, "depth", e->depth);
    } else if (e->key.type == PFS_KEY_INODE) {
        set_inode(j, e);
    } else if (e->key.type == PFS_KEY_DENTRY && dentry(e, &d) && d.child) {
        set_name(j, d.name, d.name_len);
        set_number(j, "child", d.child);
        json_object_set_new(j, "type", json_string(file_type(d.type)));
    } else if (e->key.type == PFS_KEY_XATTR && xattr_name(e, &name, &len) && len) {
        set_name(j, name, len);
    }
    return j;
}

static void print_json(const struct cmd_journal_form *form, const struct pfs_record *rec,
                       const struct pfs_entry *entries)
{
    json_t *j = json_object(), *list;

    json_object_set_new(j, "lsn", json_string(pfs_lsn_print(rec->lsn).s));
    json_object_set_new(j, "time", json_string(cmd_time(rec->time_ns).s));
    set_number(j, "time_ns", rec->time_ns);
    json_object_set_new(j, "op", json_string(pfs_op_name(rec->op)));
    set_number(j, "len", rec->len);
    set_number(j, "n_entries", rec->n_entries);
    json_object_set_new(j, "durable", json_string(pfs_lsn_print(rec->durable).s));
    if (form->entries) {
        list = json_array();
        for (unsigned i = 0; i < rec->n_entries; i++)
            json_array_append_new(list, entry_json(&entries[i]));
        json_object_set_new(j, "entries", list);
    }
    json_dumpf(j, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(j);
}

void cmd_journal_print(const struct cmd_journal_form *form, const struct pfs_record *rec,
                       const struct pfs_entry *entries)
{
    if (form->json)
        print_json(form, rec, entries);
    else
        print_text(form, rec, entries);
}
