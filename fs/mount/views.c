#include "fs/mount/views.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

void pfs_view_stat(struct pfs_mount *m, enum pfs_view view, struct stat *st)
{
    const unsigned below = view == PFS_VIEW_ROOT       ? 2
                           : view == PFS_VIEW_BRANCHES ? m->branches.n
                                                       : 0;

    memset(st, 0, sizeof(*st));
    st->st_ino = view;
    st->st_mode = S_IFDIR | 0555;
    st->st_nlink = 2 + below;
    st->st_blksize = (blksize_t)m->page_size;
    st->st_mtim = pfs_timespec_of_ns(pfs_volume_info(m->volume)->created_ns);
    st->st_atim = st->st_ctim = st->st_mtim;
}

static void view_entry(struct pfs_mount *m, enum pfs_view view, struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    pfs_view_stat(m, view, &e->attr);
    e->ino = view;
    e->attr_timeout = e->entry_timeout = PFS_CACHE_FOREVER_S;
}

static int branch_entry(struct pfs_mount *m, const char *name, struct fuse_entry_param *e)
{
    const struct pfs_branch_ref *ref;
    struct pfs_tree *tree;
    struct pfs_attr attr;
    int err = pfs_volume_find_branch(m->volume, name, &ref);

    if (err)
        return err;
    err = pfs_branches_tree(&m->branches, ref->id, &tree);
    if (!err)
        err = pfs_tree_lookup(tree, PFS_ROOT_INO, ".", &attr);
    if (err)
        return err;
    pfs_attr_to_entry(m, ref->id, &attr, e);
    return 0;
}

int pfs_view_lookup(struct pfs_mount *m, enum pfs_view view, const char *name,
                    struct fuse_entry_param *e)
{
    /* "." and ".." are asked for by an NFS server that found only a handle. */
    if (strcmp(name, ".") == 0)
        view_entry(m, view, e);
    else if (strcmp(name, "..") == 0)
        view_entry(m, PFS_VIEW_ROOT, e);
    else if (view == PFS_VIEW_BRANCHES)
        return branch_entry(m, name, e);
    else if (view == PFS_VIEW_ROOT && strcmp(name, "branches") == 0)
        view_entry(m, PFS_VIEW_BRANCHES, e);
    else if (view == PFS_VIEW_ROOT && strcmp(name, "snapshots") == 0)
        view_entry(m, PFS_VIEW_SNAPSHOTS, e);
    else
        return PFS_ENOENT;
    return 0;
}

/* The entry at a position, or NULL past the end. */
static const char *entry_at(struct pfs_mount *m, enum pfs_view view, off_t at, uint64_t *ino)
{
    static const char *const root[] = {"branches", "snapshots"};
    const struct pfs_branch_ref *ref;

    assert(at >= 0);
    *ino = at == 0 ? view : PFS_VIEW_ROOT;
    if (at < 2)
        return at == 0 ? "." : "..";
    at -= 2;
    if (view == PFS_VIEW_ROOT && at < 2) {
        *ino = PFS_VIEW_BRANCHES + (uint64_t)at;
        return root[at];
    }
    if (view == PFS_VIEW_BRANCHES && at < (off_t)m->branches.n) {
        ref = m->branches.all[at].ref;
        *ino = pfs_tree_st_ino(ref->id, PFS_ROOT_INO);
        return ref->name;
    }
    return NULL;
}

size_t pfs_view_readdir(fuse_req_t req, enum pfs_view view, bool plus, off_t off, char *buf,
                        size_t size)
{
    struct pfs_mount *m = pfs_mount_of(req);
    struct fuse_entry_param e;
    const char *name;
    size_t used = 0, len;
    uint64_t ino;

    for (off_t at = off < 0 ? 0 : off; (name = entry_at(m, view, at, &ino)) != NULL; at++) {
        memset(&e, 0, sizeof(e));
        e.attr.st_ino = ino;
        e.attr.st_mode = S_IFDIR;
        if (plus)
            len = fuse_add_direntry_plus(req, buf + used, size - used, name, &e, at + 1);
        else
            len = fuse_add_direntry(req, buf + used, size - used, name, &e.attr, at + 1);
        if (len > size - used)
            break;
        used += len;
    }
    return used;
}
