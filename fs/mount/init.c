/* What the mount asks of the kernel, and the table of operations. Features younger than libfuse are
 * in init_patch.c. */
#include "fs/mount/node.h"
#include "fs/mount/ops.h"

/* Wanted where the kernel has them; the order is libfuse's. */
#define WANTED                                                                                     \
    (FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_EXPORT_SUPPORT |                     \
     FUSE_CAP_DONT_MASK | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO |  \
     FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS |                     \
     FUSE_CAP_EXPLICIT_INVAL_DATA)

/* Unwanted though libfuse sets some of them by itself:
 *   AUTO_INVAL_DATA  a write moves mtime, and the kernel would then drop the file's pages
 *   WRITEBACK_CACHE  reorders and splits writes
 *   HANDLE_KILLPRIV  its successor is negotiated, or else the kernel does it by chmod
 *   POSIX_LOCKS, FLOCK_LOCKS  the kernel's own do, there is one kernel only
 *   SPLICE_…         no gain */
#define UNWANTED                                                                                   \
    (FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_HANDLE_KILLPRIV |              \
     FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |  \
     FUSE_CAP_SPLICE_MOVE)

/* Requests that readahead and asynchronous direct I/O may have under way; the kernel's default of
 * 12 is of a time of single-threaded servers. */
#define MAX_BACKGROUND 64

void pfs_op_init(void *userdata, struct fuse_conn_info *conn)
{
    const struct pfs_mount *m = userdata;

    conn->want |= conn->capable & WANTED;
    conn->want &= ~(unsigned)UNWANTED;
    if (m->opt->no_xattr)
        conn->want &= ~(unsigned)FUSE_CAP_POSIX_ACL;
    conn->max_write = PFS_IO_MAX;
    conn->max_read = PFS_IO_MAX; /* must be what the mount option max_read says */
    conn->max_background = MAX_BACKGROUND;
    conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
    conn->time_gran = 1;
}

/* Left out on purpose: flush (nothing to do at close), getlk, setlk and flock (the kernel's own),
 * access (default_permissions), copy_file_range (the kernel copies by reading and writing). */
const struct fuse_lowlevel_ops pfs_mount_ops = {
    .init = pfs_op_init,
    .lookup = pfs_op_lookup,
    .forget = pfs_op_forget,
    .forget_multi = pfs_op_forget_multi,
    .getattr = pfs_op_getattr,
    .setattr = pfs_op_setattr,
    .readlink = pfs_op_readlink,
    .mknod = pfs_op_mknod,
    .mkdir = pfs_op_mkdir,
    .unlink = pfs_op_unlink,
    .rmdir = pfs_op_rmdir,
    .symlink = pfs_op_symlink,
    .rename = pfs_op_rename,
    .link = pfs_op_link,
    .open = pfs_op_open,
    .read = pfs_op_read,
    .write = pfs_op_write,
    .release = pfs_op_release,
    .fsync = pfs_op_fsync,
    .opendir = pfs_op_opendir,
    .readdir = pfs_op_readdir,
    .readdirplus = pfs_op_readdirplus,
    .releasedir = pfs_op_releasedir,
    .fsyncdir = pfs_op_fsyncdir,
    .statfs = pfs_op_statfs,
    .setxattr = pfs_op_setxattr,
    .getxattr = pfs_op_getxattr,
    .listxattr = pfs_op_listxattr,
    .removexattr = pfs_op_removexattr,
    .create = pfs_op_create,
    .ioctl = pfs_op_ioctl,
    .fallocate = pfs_op_fallocate,
    .lseek = pfs_op_lseek,
};
