/* All that the journal and the page store do to a disk goes through one object, so that power
 * cuts, full disks and failing reads are one more implementation (tests/sim) of the same calls.
 *
 * Names are relative to the volume's directory. What is durable when is exactly POSIX: bytes after
 * sync of the file, names after sync_dir of their directory. Every call returns 0 or a negative
 * enum pfs_err with the message set, unless said otherwise. Threads: any, on any file. */
#ifndef PFS_BASE_IO_H
#define PFS_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

struct pfs_io;
struct pfs_file; /* an open file, of whatever implementation */

enum pfs_io_open {
    PFS_IO_RDONLY = 0,
    PFS_IO_RDWR = 1,
    PFS_IO_CREATE = 2, /* create it; fails with PFS_EEXIST if it is there */
};

typedef int pfs_io_list_cb(void *ctx, const char *name);

struct pfs_io_ops {
    int (*open)(struct pfs_io *io, const char *name, int flags, struct pfs_file **out);
    void (*close)(struct pfs_file *file);
    /* Read exactly len bytes; fewer there is PFS_ECORRUPT ("truncated"). */
    int (*pread)(struct pfs_file *file, void *buf, size_t len, uint64_t off);
    /* Write all of it. On failure any part may have been written. */
    int (*pwritev)(struct pfs_file *file, const struct iovec *iov, int iovcnt, uint64_t off);
    /* Make the file's bytes and size durable. After a failure nothing is known of what was. */
    int (*sync)(struct pfs_file *file);
    /* Start writing a range back without waiting: a hint. */
    void (*writeback)(struct pfs_file *file, uint64_t off, uint64_t len);
    int (*size)(struct pfs_file *file, uint64_t *size_out);
    /* Reserve space (reads as zeros), extending the file. */
    int (*allocate)(struct pfs_file *file, uint64_t len);
    int (*rename)(struct pfs_io *io, const char *from, const char *to); /* replaces `to` */
    int (*unlink)(struct pfs_io *io, const char *name);
    int (*mkdir)(struct pfs_io *io, const char *name); /* 0700; PFS_EEXIST if there */
    int (*sync_dir)(struct pfs_io *io, const char *name);
    /* Call cb for each entry but "." and ".."; a nonzero return ends the walk and is returned. */
    int (*list)(struct pfs_io *io, const char *name, pfs_io_list_cb *cb, void *ctx);
    /* Bytes free for us on the disk beneath, and its size. */
    int (*space)(struct pfs_io *io, uint64_t *free_out, uint64_t *total_out);
    void (*destroy)(struct pfs_io *io);
};

struct pfs_io {
    const struct pfs_io_ops *ops;
};

struct pfs_file {
    const struct pfs_io_ops *ops;
};

/* The real one: files below the directory `path`. Errors: PFS_ENOENT, PFS_ENOTDIR, PFS_EACCES. */
int pfs_io_posix_create(const char *path, struct pfs_io **out) PFS_MUST_USE;
/* The descriptor of its directory, for locks and sockets; it stays the io's. */
int pfs_io_posix_dirfd(struct pfs_io *io);

/* Read a whole file of at most max bytes. Ownership: *data_out is the caller's, to free(). */
int pfs_io_read_file(struct pfs_io *io, const char *name, size_t max, void **data_out,
                     size_t *len_out) PFS_MUST_USE;

/* Replace `name` in directory `dir` so that after a crash the old or the new content is there,
 * whole. Durable on return. */
int pfs_io_replace_file(struct pfs_io *io, const char *dir, const char *name, const void *data,
                        size_t len) PFS_MUST_USE;

#endif
