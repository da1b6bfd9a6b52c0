/* Between libfuse and /dev/fuse: every request and answer passes here on its way.
 *
 * libfuse 3.14 keeps some of what a request says to itself. The thread that reads a request is the
 * one that answers it, so what was noted at the read waits in a variable of the thread until the
 * operation asks. Nothing here is needed for requests that libfuse passes on whole. */
#ifndef PFS_MOUNT_WIRE_H
#define PFS_MOUNT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fs/mount/fuse_api.h"

/* Of the request that this thread is answering. */
struct pfs_wire_request {
    bool kill_priv; /* WRITE, OPEN, CREATE, SETATTR: suid and sgid must go */
    bool kill_sgid; /* SETXATTR of an ACL by someone outside the group */
    /* SETXATTR, whose layout depends on what was negotiated; borrowed from the request. */
    const char *xattr_name;
    const void *xattr_value;
    uint32_t xattr_size;
    uint32_t xattr_flags;
};

/* What libfuse hides of the request that this thread answers. */
const struct pfs_wire_request *pfs_wire_request(void);

/* Room for an answer of at least PFS_IO_MAX bytes: what the request left free of its own buffer, so
 * that a thread needs one buffer and not two. Valid until the answer is sent. Not for WRITE and
 * SETXATTR, whose data may fill it. */
void *pfs_wire_scratch(size_t *size_out);

/* FOPEN_… bits for this thread's next answer, which must be to OPEN, CREATE or OPENDIR. */
void pfs_wire_add_open_flags(uint32_t flags);

/* Put this module between the session and its descriptor, which fuse_session_mount() has opened.
 * There is one session in a process. Errors: PFS_EINTERNAL. */
int pfs_wire_attach(struct fuse_session *se) PFS_MUST_USE;

/* What INIT agreed on: PFS_INIT_… bits; 0 before. */
uint64_t pfs_wire_negotiated(void);

/* Call cb for each kind of request that came, with how many there were. */
typedef void pfs_wire_count_cb(void *ctx, const char *name, uint64_t count);
void pfs_wire_counts(pfs_wire_count_cb *cb, void *ctx);

#endif
