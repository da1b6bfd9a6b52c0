/* What the user wants of a mount: `-o` in words, checked and in numbers. */
#ifndef PFS_MOUNT_OPTIONS_H
#define PFS_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/tree/tree.h"

enum pfs_cache_mode {
    PFS_CACHE_KERNEL, /* the kernel keeps what was read and written */
    PFS_CACHE_DIRECT, /* each read and write is a request */
};

enum pfs_allow {
    PFS_ALLOW_DEFAULT, /* everybody if root mounts, else the owner */
    PFS_ALLOW_OWNER,
    PFS_ALLOW_ROOT, /* the owner and root */
    PFS_ALLOW_OTHER,
};

#define PFS_MOUNT_THREADS_DEFAULT 64
#define PFS_MOUNT_THREADS_MAX     1024
#define PFS_MOUNT_SPIN_DEFAULT    50
#define PFS_MOUNT_SPIN_MAX        10000

struct pfs_mount_options {
    char *volume;     /* absolute path; set by the caller, owned */
    char *mountpoint; /* absolute path or /dev/fd/N; set by the caller, owned */
    char *branch;     /* NULL: the whole volume */
    char *log_file;   /* NULL: syslog, or stderr in the foreground */
    bool readonly;
    bool no_xattr; /* extended attributes and ACLs are refused, and the kernel never asks for any */
    enum pfs_cache_mode cache;
    enum pfs_atime atime;
    enum pfs_allow allow;
    unsigned threads;      /* that answer requests, at most */
    unsigned spin_us;      /* a reader that runs dry looks again for so long; 0: sleeps at once */
    size_t memtable_bytes; /* 0: the store's default, as the next two */
    size_t block_cache_bytes;   /* decompressed layer blocks */
    size_t flush_journal_bytes; /* journal before it goes into a layer */
    struct pfs_buf kernel;      /* "nodev,noexec": for mount(2), in the order given; no NUL */
};

/* The defaults; release frees the strings. */
void pfs_mount_options_init(struct pfs_mount_options *opt);
void pfs_mount_options_release(struct pfs_mount_options *opt);

/* Take one -o argument: names and name=value, separated by commas; a backslash or double quotes
 * keep a comma in a value. Later ones win. sloppy: options that nobody knows are left out.
 * Errors: PFS_EINVAL, the message names the option; PFS_ENOMEM. */
int pfs_mount_options_add(struct pfs_mount_options *opt, const char *list,
                          bool sloppy) PFS_MUST_USE;

/* All of it as -o would say it, for people to read; NUL-terminated, cut if size is too small. */
void pfs_mount_options_print(const struct pfs_mount_options *opt, char *buf, size_t size);

/* The -o argument for libfuse: who may use the mount, what the kernel checks, its source's name.
 * Ownership: *out is the caller's, to free(). */
int pfs_mount_options_for_fuse(const struct pfs_mount_options *opt, bool is_root,
                               char **out) PFS_MUST_USE;

#endif
