#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "fs/tree/pageio.h"

/* Space can't be set aside in a journal that everything is appended to; what can be promised is
 * that it was there when asked. */
static int check_space(struct pfs_tree *tree, uint64_t len)
{
    struct pfs_store_stats stats;

    pfs_store_stats(tree->store, &stats);
    if (stats.disk_total > 0 && len > stats.disk_free)
        return pfs_fail(PFS_ENOSPC, "%llu bytes asked for, %llu free", (unsigned long long)len,
                        (unsigned long long)stats.disk_free);
    return 0;
}

/* Only a size and times change: pages that were never written are holes. */
static int allocate(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t end)
{
    struct pfs_change c;
    struct pfs_entry entry;
    pfs_lsn lsn;
    int err;

    pfs_change_begin(&c, inode);
    c.v.size = pfs_max64(c.v.size, end);
    c.v.mtime_ns = c.v.ctime_ns = pfs_wall_ns();
    entry = pfs_change_entry(&c);
    err = pfs_store_commit(tree->store, PFS_OP_FALLOCATE, &entry, 1, &lsn);
    if (!err)
        pfs_change_apply(&c, lsn);
    return err;
}

static int zero(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t off, uint64_t end,
                bool keep_size)
{
    struct pfs_change c;
    uint64_t to = pfs_min64(end, inode->v.size);

    pfs_change_begin(&c, inode);
    if (!keep_size)
        c.v.size = pfs_max64(c.v.size, end);
    c.v.mtime_ns = c.v.ctime_ns = pfs_wall_ns();
    return pfs_pageio_zero(tree, inode, off, to, PFS_LSN_MAX, &c);
}

int pfs_file_fallocate(struct pfs_tree *tree, struct pfs_handle *handle, int mode, uint64_t off,
                       uint64_t len)
{
    struct pfs_inode *inode = handle->inode;
    bool keep = (mode & FALLOC_FL_KEEP_SIZE) != 0;
    int what = mode & ~FALLOC_FL_KEEP_SIZE;
    int err;

    if (tree->readonly)
        return PFS_EROFS;
    if (len == 0)
        return PFS_EINVAL;
    if (off > PFS_FILE_MAX || len > PFS_FILE_MAX - off)
        return PFS_EFBIG;
    if (what != 0 && what != FALLOC_FL_ZERO_RANGE &&
        mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return PFS_ENOTSUP;
    if (what != FALLOC_FL_PUNCH_HOLE) {
        err = check_space(tree, len);
        if (err)
            return err;
    }
    pfs_mutex_lock(&inode->mu);
    if (!S_ISREG(inode->v.mode))
        err = PFS_ENOTSUP;
    else if (what == 0)
        err = allocate(tree, inode, keep ? 0 : off + len);
    else
        err = zero(tree, inode, off, off + len, keep);
    pthread_mutex_unlock(&inode->mu);
    return err;
}
