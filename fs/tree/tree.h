/* The tree: POSIX files and directories of one branch, as keys of its store.
 *
 * Every operation that changes something is one journal record, so every LSN shows a tree in which
 * it happened wholly or not at all. The calls are made to sit under FUSE's inode-based protocol:
 * an inode that was handed out (lookup, create, …) stays known until pfs_tree_forget() has taken
 * back as many references. Permission checks are the kernel's (default_permissions); what the
 * kernel leaves to a filesystem (suid/sgid rules, times, sticky state of unlinked files) is here.
 *
 * Errors: all calls return 0 or a negative enum pfs_err; PFS_ENOSPC, PFS_EIO, PFS_ECORRUPT and
 * PFS_ENOMEM may come from any of them, PFS_EROFS from those that write.
 * Threads: any call from any thread, except that a handle must not be closed while in use.
 * Durability: nothing here waits for the disk but the calls named sync. */
#ifndef PFS_TREE_TREE_H
#define PFS_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/pages/store.h"

#define PFS_NAME_MAX    255
#define PFS_SYMLINK_MAX 4095
#define PFS_XATTR_MAX   65536               /* bytes of a value; also of a list of names */
#define PFS_FILE_MAX    (UINT64_C(1) << 44) /* 16 TiB */
#define PFS_IO_MAX      (UINT64_C(1) << 20) /* largest single read or write */
#define PFS_ROOT_INO    UINT64_C(1)
#define PFS_INO_BITS    44 /* st_ino = branch id << 44 | ino: unique in all of a mount */

struct pfs_tree;
struct pfs_handle; /* an open file or directory */

struct pfs_attr {
    uint64_t ino; /* in the branch; see pfs_tree_st_ino() */
    uint32_t mode;
    uint32_t nlink;
    uint32_t uid, gid;
    uint32_t rdev;
    uint64_t size;   /* bytes; of a directory: a number that grows with its entries */
    uint64_t blocks; /* of 512 bytes */
    uint64_t atime_ns, mtime_ns, ctime_ns,
        btime_ns; /* since 1970; signed times as two's complement */
};

/* Who makes a new inode. The kernel has applied the umask unless a default ACL may apply. */
struct pfs_cred {
    uint32_t uid, gid;
    uint32_t umask; /* applied here when the parent has no default ACL */
};

enum pfs_set {
    PFS_SET_MODE = 1 << 0,
    PFS_SET_UID = 1 << 1,
    PFS_SET_GID = 1 << 2,
    PFS_SET_SIZE = 1 << 3,
    PFS_SET_ATIME = 1 << 4,
    PFS_SET_MTIME = 1 << 5,
    PFS_SET_ATIME_NOW = 1 << 6,
    PFS_SET_MTIME_NOW = 1 << 7,
    PFS_SET_CTIME = 1 << 8,
    PFS_SET_KILL_PRIV = 1 << 9, /* clear suid, and sgid if the group may execute */
};

enum pfs_atime { PFS_ATIME_RELATIME, PFS_ATIME_NOATIME, PFS_ATIME_STRICT };

struct pfs_tree_config {
    struct pfs_store *store; /* borrowed; must outlive the tree */
    uint32_t branch_id;
    uint64_t name_seed; /* of the volume: where names hash to */
    enum pfs_atime atime;
};

/* Open the tree of a store; makes the root directory if the store is empty and writable (mode 0755,
 * owned by the process's user), and finishes the removal of files that were unlinked but open at a
 * crash. */
int pfs_tree_open(const struct pfs_tree_config *config, struct pfs_tree **out) PFS_MUST_USE;

/* Write out what is only in memory (times), then free. All handles must be closed. Does not sync:
 * pfs_store_close() does. */
void pfs_tree_close(struct pfs_tree *tree);

/* The store it was opened on. */
struct pfs_store *pfs_tree_store(struct pfs_tree *tree);

static inline uint64_t pfs_tree_st_ino(uint32_t branch_id, uint64_t ino)
{
    return (uint64_t)branch_id << PFS_INO_BITS | ino;
}

/* --- names. On success *attr describes the inode and one reference to it was taken. ---------- */

/* Errors: PFS_ENOENT, PFS_ENOTDIR, PFS_ENAMETOOLONG. "." and ".." work. */
int pfs_tree_lookup(struct pfs_tree *tree, uint64_t parent, const char *name,
                    struct pfs_attr *attr) PFS_MUST_USE;
void pfs_tree_forget(struct pfs_tree *tree, uint64_t ino, uint64_t count);

/* A regular file, fifo, socket or device by mode's type bits. PFS_EEXIST. */
int pfs_tree_mknod(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                   uint32_t rdev, const struct pfs_cred *cred, struct pfs_attr *attr) PFS_MUST_USE;
int pfs_tree_mkdir(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                   const struct pfs_cred *cred, struct pfs_attr *attr) PFS_MUST_USE;
int pfs_tree_symlink(struct pfs_tree *tree, uint64_t parent, const char *name, const char *target,
                     const struct pfs_cred *cred, struct pfs_attr *attr) PFS_MUST_USE;
/* PFS_EMLINK, PFS_EPERM (of a directory). */
int pfs_tree_link(struct pfs_tree *tree, uint64_t ino, uint64_t parent, const char *name,
                  struct pfs_attr *attr) PFS_MUST_USE;
/* Create a regular file and open it, in one record. With exclusive false an existing file is
 * opened (PFS_EISDIR if it is a directory). flags are open(2)'s. */
int pfs_tree_create(struct pfs_tree *tree, uint64_t parent, const char *name, uint32_t mode,
                    int flags, const struct pfs_cred *cred, struct pfs_attr *attr,
                    struct pfs_handle **out) PFS_MUST_USE;

/* PFS_ENOENT; unlink: PFS_EISDIR; rmdir: PFS_ENOTDIR, PFS_ENOTEMPTY. */
int pfs_tree_unlink(struct pfs_tree *tree, uint64_t parent, const char *name) PFS_MUST_USE;
int pfs_tree_rmdir(struct pfs_tree *tree, uint64_t parent, const char *name) PFS_MUST_USE;
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE of renameat2(2). PFS_ELOOP, PFS_ENOTEMPTY,
 * PFS_EINVAL. */
int pfs_tree_rename(struct pfs_tree *tree, uint64_t parent, const char *name, uint64_t new_parent,
                    const char *new_name, unsigned flags) PFS_MUST_USE;

/* --- attributes ------------------------------------------------------------------------------ */

/* As stat(2) would tell. */
int pfs_tree_getattr(struct pfs_tree *tree, uint64_t ino, struct pfs_attr *attr) PFS_MUST_USE;
/* Set what `what` (enum pfs_set bits) names from *in; *attr is the result. Truncation is here. */
int pfs_tree_setattr(struct pfs_tree *tree, uint64_t ino, unsigned what, const struct pfs_attr *in,
                     struct pfs_attr *attr) PFS_MUST_USE;
/* The target, NUL-terminated, into buf of PFS_SYMLINK_MAX + 1 bytes. PFS_EINVAL if no symlink. */
int pfs_tree_readlink(struct pfs_tree *tree, uint64_t ino, char *buf) PFS_MUST_USE;

/* Extended attributes. set: flags are XATTR_CREATE, XATTR_REPLACE (PFS_EEXIST, PFS_ENODATA).
 * kill_sgid: setxattr of an ACL by someone outside the file's group clears sgid.
 * get, list: with size 0 only *len_out is set; PFS_ERANGE if size is too small. */
int pfs_tree_setxattr(struct pfs_tree *tree, uint64_t ino, const char *name, const void *value,
                      size_t size, int flags, bool kill_sgid) PFS_MUST_USE;
int pfs_tree_getxattr(struct pfs_tree *tree, uint64_t ino, const char *name, void *value,
                      size_t size, size_t *len_out) PFS_MUST_USE;
int pfs_tree_listxattr(struct pfs_tree *tree, uint64_t ino, char *list, size_t size,
                       size_t *len_out) PFS_MUST_USE;
int pfs_tree_removexattr(struct pfs_tree *tree, uint64_t ino, const char *name) PFS_MUST_USE;

/* --- open files ------------------------------------------------------------------------------ */

/* flags are open(2)'s: O_TRUNC is honoured, O_SYNC and O_DSYNC make each write wait for its
 * sync. */
int pfs_tree_open_file(struct pfs_tree *tree, uint64_t ino, int flags,
                       struct pfs_handle **out) PFS_MUST_USE;
void pfs_tree_release(struct pfs_tree *tree, struct pfs_handle *handle);

/* Up to size bytes at off; *len_out is short only at the end of the file. size <= PFS_IO_MAX. */
int pfs_file_read(struct pfs_tree *tree, struct pfs_handle *handle, void *buf, size_t size,
                  uint64_t off, size_t *len_out) PFS_MUST_USE;
/* All of it, as one record: size <= PFS_IO_MAX. kill_priv as PFS_SET_KILL_PRIV. PFS_EFBIG. */
int pfs_file_write(struct pfs_tree *tree, struct pfs_handle *handle, const void *buf, size_t size,
                   uint64_t off, bool kill_priv) PFS_MUST_USE;
/* mode: 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE, ZERO_RANGE|KEEP_SIZE; else PFS_ENOTSUP. */
int pfs_file_fallocate(struct pfs_tree *tree, struct pfs_handle *handle, int mode, uint64_t off,
                       uint64_t len) PFS_MUST_USE;
/* whence: SEEK_DATA or SEEK_HOLE. PFS_ENXIO. */
int pfs_file_seek(struct pfs_tree *tree, struct pfs_handle *handle, uint64_t off, int whence,
                  uint64_t *off_out) PFS_MUST_USE;
/* Wait until all that was done to the file (its entry and directory included) is durable. */
int pfs_file_sync(struct pfs_tree *tree, struct pfs_handle *handle, bool data_only) PFS_MUST_USE;

/* --- directories ------------------------------------------------------------------------------ */

/* PFS_ENOTDIR. The handle is for readdir and sync; release it as a file. */
int pfs_tree_open_dir(struct pfs_tree *tree, uint64_t ino, struct pfs_handle **out) PFS_MUST_USE;

/* One entry; return nonzero to stop before it (the buffer is full). off is the position to pass to
 * come after it. With want_attr, *attr is complete and the callee keeps the reference that was
 * taken unless it returns nonzero ("." and ".." carry none); else only ino and the type bits of
 * mode are set. */
typedef int pfs_readdir_cb(void *ctx, const char *name, const struct pfs_attr *attr, uint64_t off);

/* Entries from position off (0: start) on, "." and ".." first. An entry that is there all the time
 * is seen exactly once, whatever comes and goes beside it. */
int pfs_tree_readdir(struct pfs_tree *tree, struct pfs_handle *handle, uint64_t off, bool want_attr,
                     pfs_readdir_cb *cb, void *ctx) PFS_MUST_USE;

/* --- whole tree ------------------------------------------------------------------------------ */

struct pfs_tree_stats {
    uint64_t cached_inodes;
    uint64_t open_handles;
    uint64_t next_ino;
};
/* Counters of the moment. */
void pfs_tree_stats(struct pfs_tree *tree, struct pfs_tree_stats *out);

/* Check the tree at the head: every entry has its inode and stands where its name is looked for,
 * every inode has its entries, link counts, counts of directories, types, sizes, parents up to the
 * root; every page of a file that lives is read. Reports each fault through cb and goes on; returns
 * 0, PFS_ECORRUPT if there was any, or another error. name_seed is the volume's. A store that never
 * had a root is in order. Memory: 40 bytes an inode. Threads: nobody may write meanwhile. */
struct pfs_tree_check_stats {
    uint64_t inodes, directories, entries;
    uint64_t pages;   /* of files, that hold something */
    uint64_t bytes;   /* sum of the sizes of regular files */
    uint64_t orphans; /* unlinked but still open when the last mount ended */
    uint64_t faults;
};
struct pfs_tree_check_cb {
    void (*fault)(void *ctx, const char *text);
    /* Called now and then while it goes on; may be NULL. */
    void (*progress)(void *ctx, const struct pfs_tree_check_stats *so_far);
    void *ctx;
};
int pfs_tree_check(struct pfs_store *store, uint64_t name_seed, const struct pfs_tree_check_cb *cb,
                   struct pfs_tree_check_stats *stats) PFS_MUST_USE;

#endif
