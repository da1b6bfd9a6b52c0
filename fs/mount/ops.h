/* The operations, as libfuse calls them: each takes a request apart, asks the tree, and answers. */
#ifndef PFS_MOUNT_OPS_H
#define PFS_MOUNT_OPS_H

#include "fs/mount/fuse_api.h"

/* The table that fuse_session_new() gets. */
extern const struct fuse_lowlevel_ops pfs_mount_ops;

/* init.c: what is asked of the kernel. */
void pfs_op_init(void *userdata, struct fuse_conn_info *conn);

/* ops_name.c: names in directories. */
void pfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_forget(fuse_req_t req, fuse_ino_t nodeid, uint64_t nlookup);
void pfs_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void pfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void pfs_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void pfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void pfs_op_link(fuse_req_t req, fuse_ino_t nodeid, fuse_ino_t new_parent, const char *name);
void pfs_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void pfs_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags);

/* ops_attr.c: attributes, extended ones too, and the filesystem's. */
void pfs_op_getattr(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi);
void pfs_op_setattr(fuse_req_t req, fuse_ino_t nodeid, struct stat *st, int to_set,
                    struct fuse_file_info *fi);
void pfs_op_readlink(fuse_req_t req, fuse_ino_t nodeid);
void pfs_op_statfs(fuse_req_t req, fuse_ino_t nodeid);
void pfs_op_setxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, const char *value,
                     size_t size, int flags);
void pfs_op_getxattr(fuse_req_t req, fuse_ino_t nodeid, const char *name, size_t size);
void pfs_op_listxattr(fuse_req_t req, fuse_ino_t nodeid, size_t size);
void pfs_op_removexattr(fuse_req_t req, fuse_ino_t nodeid, const char *name);

/* ops_file.c: open files. */
void pfs_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
void pfs_op_open(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi);
void pfs_op_release(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi);
void pfs_op_read(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                 struct fuse_file_info *fi);
void pfs_op_write(fuse_req_t req, fuse_ino_t nodeid, const char *data, size_t size, off_t off,
                  struct fuse_file_info *fi);
void pfs_op_fsync(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *fi);
void pfs_op_fallocate(fuse_req_t req, fuse_ino_t nodeid, int mode, off_t off, off_t len,
                      struct fuse_file_info *fi);
void pfs_op_lseek(fuse_req_t req, fuse_ino_t nodeid, off_t off, int whence,
                  struct fuse_file_info *fi);
void pfs_op_ioctl(fuse_req_t req, fuse_ino_t nodeid, unsigned cmd, void *arg,
                  struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                  size_t out_size);

/* ops_dir.c: open directories. */
void pfs_op_opendir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi);
void pfs_op_releasedir(fuse_req_t req, fuse_ino_t nodeid, struct fuse_file_info *fi);
void pfs_op_readdir(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                    struct fuse_file_info *fi);
void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t nodeid, size_t size, off_t off,
                        struct fuse_file_info *fi);
void pfs_op_fsyncdir(fuse_req_t req, fuse_ino_t nodeid, int data_only, struct fuse_file_info *fi);

#endif
