#include "fs/mount/node.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

int pfs_node_find(struct pfs_mount *m, uint64_t nodeid, struct pfs_node *out)
{
    if (nodeid == FUSE_ROOT_ID && m->root_branch)
        nodeid = pfs_tree_st_ino(m->root_branch, PFS_ROOT_INO);
    out->branch = (uint32_t)(nodeid >> PFS_INO_BITS);
    out->ino = nodeid & ((UINT64_C(1) << PFS_INO_BITS) - 1);
    out->tree = NULL;
    if (out->branch)
        return pfs_branches_tree(&m->branches, out->branch, &out->tree);
    if (m->root_branch || nodeid < PFS_VIEW_ROOT || nodeid > PFS_VIEW_SNAPSHOTS)
        return pfs_fail(PFS_ENOENT, "no node %llu", (unsigned long long)nodeid);
    return 0;
}

bool pfs_node_in_tree(fuse_req_t req, uint64_t nodeid, int errno_of_view, struct pfs_node *out)
{
    int err = pfs_node_find(pfs_mount_of(req), nodeid, out);

    if (err == PFS_ENOENT)
        fuse_reply_err(req, ESTALE);
    else if (err)
        pfs_reply_result(req, "open of a branch", err);
    else if (!out->tree)
        fuse_reply_err(req, errno_of_view);
    return !err && out->tree;
}

/* --- answers --------------------------------------------------------------------------------- */

/* A damaged volume may answer thousands of requests a second with the same news. */
static bool may_log(void)
{
    static _Atomic uint64_t second, lines;
    uint64_t now = pfs_mono_ns() / PFS_NS_PER_S;

    if (atomic_exchange(&second, now) != now)
        atomic_store(&lines, 0);
    return atomic_fetch_add(&lines, 1) < 5;
}

void pfs_reply_result(fuse_req_t req, const char *op, int err)
{
    bool grave = err == PFS_ECORRUPT || err == PFS_EIO || err == PFS_EVERSION ||
                 err == PFS_EINTERNAL || err == PFS_ENOMEM;

    if (grave && may_log())
        pfs_log_error("mount", "%s failed with %s: %s", op, pfs_err_name(err), pfs_err_message());
    fuse_reply_err(req, pfs_err_errno(err));
}

void pfs_reply_no_entry(fuse_req_t req)
{
    struct fuse_entry_param e = {.entry_timeout = PFS_CACHE_FOREVER_S};

    fuse_reply_entry(req, &e);
}

void pfs_reply_entry(fuse_req_t req, uint32_t branch, const struct pfs_attr *attr)
{
    struct fuse_entry_param e;

    pfs_attr_to_entry(pfs_mount_of(req), branch, attr, &e);
    fuse_reply_entry(req, &e);
}

/* A file with suid or sgid loses them by a write, of which the kernel hears only when it asks: it
 * is to ask each time. */
static double attr_timeout(const struct pfs_attr *attr)
{
    return S_ISREG(attr->mode) && attr->mode & (S_ISUID | S_ISGID) ? 0 : PFS_CACHE_FOREVER_S;
}

void pfs_reply_attr(fuse_req_t req, uint32_t branch, const struct pfs_attr *attr)
{
    struct stat st;

    pfs_attr_to_stat(pfs_mount_of(req), branch, attr, &st);
    fuse_reply_attr(req, &st, attr_timeout(attr));
}

/* --- attributes ------------------------------------------------------------------------------ */

struct timespec pfs_timespec_of_ns(uint64_t ns)
{
    const int64_t s = (int64_t)PFS_NS_PER_S, t = (int64_t)ns;
    struct timespec ts = {.tv_sec = t / s, .tv_nsec = t % s};

    if (ts.tv_nsec < 0) {
        ts.tv_sec--;
        ts.tv_nsec += s;
    }
    return ts;
}

uint64_t pfs_ns_of_timespec(const struct timespec *ts)
{
    int64_t ns;

    if (__builtin_mul_overflow((int64_t)ts->tv_sec, (int64_t)PFS_NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, (int64_t)ts->tv_nsec, &ns))
        ns = ts->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return (uint64_t)ns;
}

void pfs_attr_to_stat(const struct pfs_mount *m, uint32_t branch, const struct pfs_attr *attr,
                      struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = pfs_tree_st_ino(branch, attr->ino);
    st->st_mode = attr->mode;
    st->st_nlink = attr->nlink;
    st->st_uid = attr->uid;
    st->st_gid = attr->gid;
    st->st_rdev = attr->rdev;
    st->st_size = (off_t)attr->size;
    st->st_blksize = (blksize_t)m->page_size;
    st->st_blocks = (blkcnt_t)attr->blocks;
    st->st_atim = pfs_timespec_of_ns(attr->atime_ns);
    st->st_mtim = pfs_timespec_of_ns(attr->mtime_ns);
    st->st_ctim = pfs_timespec_of_ns(attr->ctime_ns);
}

void pfs_attr_to_entry(const struct pfs_mount *m, uint32_t branch, const struct pfs_attr *attr,
                       struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    pfs_attr_to_stat(m, branch, attr, &e->attr);
    e->ino = branch == m->root_branch && attr->ino == PFS_ROOT_INO ? FUSE_ROOT_ID
                                                                   : (fuse_ino_t)e->attr.st_ino;
    e->attr_timeout = attr_timeout(attr);
    e->entry_timeout = PFS_CACHE_FOREVER_S;
}
