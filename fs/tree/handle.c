/* Open files: opening, syncing, closing, and the reaping of what was unlinked meanwhile. */
#include "fs/tree/handle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/blocking.h"
#include "base/log.h"
#include "fs/tree/truncate.h"

/* Its key went with its last name, but the kernel had found it before: as the file that a rename
 * just replaced, by O_PATH. It goes on as an orphan; its pages are there as they were. Holds
 * inode->mu. */
static int revive(struct pfs_tree *tree, struct pfs_inode *inode)
{
    struct pfs_entry entries[2] = {
        {.key = pfs_key(PFS_KEY_ORPHAN, inode->ino, 0), .kind = PFS_KIND_VALUE}};
    struct pfs_change c;
    pfs_lsn lsn;
    int err;

    pfs_change_begin(&c, inode);
    entries[1] = pfs_change_entry(&c);
    err = pfs_store_commit(tree->store, PFS_OP_UNLINK, entries, 2, &lsn);
    if (!err) {
        pfs_change_apply(&c, lsn);
        inode->gone = false;
    }
    return err;
}

int pfs_handle_open(struct pfs_tree *tree, struct pfs_inode *inode, int flags,
                    struct pfs_handle **out)
{
    struct pfs_handle *handle = calloc(1, sizeof(*handle));
    struct pfs_inode *same;
    int err;

    if (!handle)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    err = pfs_inode_get(tree, inode->ino, &same);
    if (err) {
        free(handle);
        return err;
    }
    handle->inode = inode;
    handle->sync_writes = (flags & O_DSYNC) != 0; /* O_SYNC has that bit too */
    pfs_mutex_lock(&inode->mu);
    if ((flags & O_DIRECTORY) && !S_ISDIR(inode->v.mode))
        err = PFS_ENOTDIR;
    else if (S_ISDIR(inode->v.mode) && (flags & O_ACCMODE) != O_RDONLY)
        err = PFS_EISDIR;
    else if (tree->readonly && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)))
        err = PFS_EROFS;
    else if (inode->gone && !S_ISDIR(inode->v.mode)) /* of a directory nothing is left to read */
        err = revive(tree, inode);
    if (!err && S_ISREG(inode->v.mode) && (flags & O_TRUNC))
        err = pfs_truncate(tree, inode, 0); /* an empty file's times move too */
    if (!err)
        inode->opens++;
    pthread_mutex_unlock(&inode->mu);
    if (err) {
        pfs_inode_put(tree, inode, 1);
        free(handle);
        return err;
    }
    tree->n_handles++;
    *out = handle;
    return 0;
}

int pfs_tree_open_file(struct pfs_tree *tree, uint64_t ino, int flags, struct pfs_handle **out)
{
    struct pfs_inode *inode;
    int err = pfs_inode_get(tree, ino, &inode);

    if (err)
        return err;
    err = pfs_handle_open(tree, inode, flags, out);
    pfs_inode_put(tree, inode, 1);
    return err;
}

int pfs_tree_open_dir(struct pfs_tree *tree, uint64_t ino, struct pfs_handle **out)
{
    return pfs_tree_open_file(tree, ino, O_RDONLY | O_DIRECTORY, out);
}

/* The last user of an unlinked file is gone: so is the file. Holds inode->mu. */
static void reap(struct pfs_tree *tree, struct pfs_inode *inode)
{
    struct pfs_entry entries[2] = {
        {.key = pfs_key(PFS_KEY_ORPHAN, inode->ino, 0), .kind = PFS_KIND_DELETE},
        {.key = pfs_key(PFS_KEY_INODE, inode->ino, 0), .kind = PFS_KIND_DELETE},
    };
    pfs_lsn lsn;

    if (tree->readonly)
        return;
    if (pfs_store_commit(tree->store, PFS_OP_REAP, entries, 2, &lsn))
        pfs_log_warn("tree", "inode %llu stays until the next mount: %s",
                     (unsigned long long)inode->ino, pfs_err_message());
    inode->gone = true; /* the orphan's key, if still there, is the next mount's */
}

void pfs_tree_release(struct pfs_tree *tree, struct pfs_handle *handle)
{
    struct pfs_inode *inode = handle->inode;

    pfs_mutex_lock(&inode->mu);
    inode->opens--;
    if (inode->opens == 0 && inode->v.nlink == 0 && !inode->gone)
        reap(tree, inode);
    pthread_mutex_unlock(&inode->mu);
    pfs_inode_put(tree, inode, 1);
    tree->n_handles--;
    free(handle);
}

int pfs_file_sync(struct pfs_tree *tree, struct pfs_handle *handle, bool data_only)
{
    struct pfs_inode *inode = handle->inode;
    pfs_lsn lsn;
    int err = 0;

    pfs_mutex_lock(&inode->mu);
    if (!data_only)
        err = pfs_inode_write_times(tree, inode);
    lsn = inode->last_lsn;
    pthread_mutex_unlock(&inode->mu);
    return err ? err : pfs_store_sync(tree->store, lsn);
}
