#include "fs/mount/wire.h"

#include <assert.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount/init_patch.h"
#include "fs/mount/loop.h"
#include "fs/tree/tree.h"

#define OPCODES 64

/* In <linux/fuse.h> only since 6.x; the kernel's ABI has them. */
#define OPEN_KILL_SUIDGID      (1u << 0)
#define WRITE_KILL_SUIDGID     (1u << 2)
#define SETXATTR_KILL_SGID     (1u << 0)
#define SETATTR_KILL_SUIDGID   (1u << 11)
#define SETXATTR_IN_SHORT_SIZE 8u

static _Thread_local struct pfs_wire_request current;
static _Thread_local void *scratch;
static _Thread_local size_t scratch_size;
static _Thread_local uint32_t open_flags;

/* Written by the thread that handles INIT, before there are others. */
static struct pfs_init_offer offer;
static bool init_pending;
static uint64_t negotiated;

static _Atomic uint64_t counts[OPCODES]; /* by opcode; [0] is of those past the end */

const struct pfs_wire_request *pfs_wire_request(void)
{
    return &current;
}

void *pfs_wire_scratch(size_t *size_out)
{
    assert(scratch_size >= PFS_IO_MAX);
    *size_out = scratch_size;
    return scratch;
}

void pfs_wire_add_open_flags(uint32_t flags)
{
    open_flags |= flags;
}

uint64_t pfs_wire_negotiated(void)
{
    return negotiated;
}

/* --- requests -------------------------------------------------------------------------------- */

/* A request's buffer is malloc'd and as large as the largest WRITE: behind a small request there
 * is room for the largest READ. At a page boundary if possible: the kernel copies that fastest. */
static void find_scratch(char *buf, size_t used, size_t size)
{
    uintptr_t end = (uintptr_t)buf + size;
    uintptr_t at = ((uintptr_t)buf + used + 4095) & ~(uintptr_t)4095;

    if (at > end || end - at < PFS_IO_MAX)
        at = ((uintptr_t)buf + used + 63) & ~(uintptr_t)63;
    scratch = (void *)at;
    scratch_size = at < end ? end - at : 0;
}

static void note_setxattr(const char *body, size_t len)
{
    const bool extended = negotiated & PFS_INIT_SETXATTR_EXT;
    struct fuse_setxattr_in in = {0};
    const size_t head = extended ? sizeof(in) : SETXATTR_IN_SHORT_SIZE;
    const char *nul;

    current.xattr_name = NULL;
    if (len < head)
        return;
    memcpy(&in, body, head);
    nul = memchr(body + head, '\0', len - head);
    if (!nul || (size_t)(body + len - (nul + 1)) < in.size)
        return;
    current.xattr_name = body + head;
    current.xattr_value = nul + 1;
    current.xattr_size = in.size;
    current.xattr_flags = in.flags;
    current.kill_sgid = in.setxattr_flags & SETXATTR_KILL_SGID;
}

static uint32_t word_at(const char *body, size_t len, size_t offset)
{
    uint32_t v = 0;

    if (len >= offset + sizeof(v))
        memcpy(&v, body + offset, sizeof(v));
    return v;
}

static void note(const char *request, size_t len)
{
    const char *body = request + sizeof(struct fuse_in_header);
    struct fuse_in_header header;

    memcpy(&header, request, sizeof(header));
    len -= sizeof(header);
    atomic_fetch_add_explicit(&counts[header.opcode < OPCODES ? header.opcode : 0], 1,
                              memory_order_relaxed);
    current.kill_priv = current.kill_sgid = false;
    open_flags = 0;
    switch (header.opcode) {
    case FUSE_WRITE:
        current.kill_priv =
            word_at(body, len, offsetof(struct fuse_write_in, write_flags)) & WRITE_KILL_SUIDGID;
        break;
    case FUSE_OPEN:
        /* The second word of fuse_open_in; `unused` in older headers. */
        current.kill_priv = word_at(body, len, 4) & OPEN_KILL_SUIDGID;
        break;
    case FUSE_SETATTR:
        current.kill_priv = word_at(body, len, 0) & SETATTR_KILL_SUIDGID;
        break;
    case FUSE_SETXATTR:
        note_setxattr(body, len);
        break;
    case FUSE_INIT:
        init_pending = pfs_init_read(request, len + sizeof(header), &offer);
        break;
    default:
        break;
    }
}

static ssize_t wire_read(int fd, void *buf, size_t size, void *userdata)
{
    ssize_t n = pfs_loop_read(fd, buf, size);

    (void)userdata;
    if (n >= (ssize_t)sizeof(struct fuse_in_header)) {
        find_scratch(buf, (size_t)n, size);
        note(buf, (size_t)n);
    }
    return n;
}

/* --- answers --------------------------------------------------------------------------------- */

static bool is_answer_to(const struct iovec *iov, uint64_t unique)
{
    const struct fuse_out_header *out = iov[0].iov_base;

    return out->unique == unique && out->error == 0;
}

/* libfuse hands over one vector of header and one of body, both in its own memory, which nobody
 * reads afterwards: they are patched in place. */
static void patch_open(const struct iovec *iov, int count)
{
    const struct fuse_out_header *out = iov[0].iov_base;
    struct fuse_open_out open;
    char *at;

    if (out->error == 0 && count == 2 && iov[1].iov_len >= sizeof(open)) {
        at = (char *)iov[1].iov_base + iov[1].iov_len - sizeof(open);
        memcpy(&open, at, sizeof(open));
        open.open_flags |= open_flags;
        memcpy(at, &open, sizeof(open));
    }
    open_flags = 0;
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    (void)userdata;
    if (open_flags)
        patch_open(iov, count);
    if (init_pending && count == 2 && is_answer_to(iov, offer.unique)) {
        negotiated = pfs_init_patch(iov[1].iov_base, iov[1].iov_len, &offer);
        init_pending = false;
    }
    return writev(fd, iov, count);
}

int pfs_wire_attach(struct fuse_session *se)
{
    static const struct fuse_custom_io io = {.read = wire_read, .writev = wire_writev};

    if (fuse_session_custom_io(se, &io, fuse_session_fd(se)) != 0)
        return pfs_fail(PFS_EINTERNAL, "libfuse refused the session's own descriptor");
    return 0;
}

/* --- counters -------------------------------------------------------------------------------- */

static const char *const names[OPCODES] = {
    [0] = "other",
    [FUSE_LOOKUP] = "lookup",
    [FUSE_FORGET] = "forget",
    [FUSE_GETATTR] = "getattr",
    [FUSE_SETATTR] = "setattr",
    [FUSE_READLINK] = "readlink",
    [FUSE_SYMLINK] = "symlink",
    [FUSE_MKNOD] = "mknod",
    [FUSE_MKDIR] = "mkdir",
    [FUSE_UNLINK] = "unlink",
    [FUSE_RMDIR] = "rmdir",
    [FUSE_RENAME] = "rename",
    [FUSE_LINK] = "link",
    [FUSE_OPEN] = "open",
    [FUSE_READ] = "read",
    [FUSE_WRITE] = "write",
    [FUSE_STATFS] = "statfs",
    [FUSE_RELEASE] = "release",
    [FUSE_FSYNC] = "fsync",
    [FUSE_SETXATTR] = "setxattr",
    [FUSE_GETXATTR] = "getxattr",
    [FUSE_LISTXATTR] = "listxattr",
    [FUSE_REMOVEXATTR] = "removexattr",
    [FUSE_FLUSH] = "flush",
    [FUSE_INIT] = "init",
    [FUSE_OPENDIR] = "opendir",
    [FUSE_READDIR] = "readdir",
    [FUSE_RELEASEDIR] = "releasedir",
    [FUSE_FSYNCDIR] = "fsyncdir",
    [FUSE_ACCESS] = "access",
    [FUSE_CREATE] = "create",
    [FUSE_INTERRUPT] = "interrupt",
    [FUSE_BMAP] = "bmap",
    [FUSE_DESTROY] = "destroy",
    [FUSE_IOCTL] = "ioctl",
    [FUSE_POLL] = "poll",
    [FUSE_BATCH_FORGET] = "batch_forget",
    [FUSE_FALLOCATE] = "fallocate",
    [FUSE_READDIRPLUS] = "readdirplus",
    [FUSE_RENAME2] = "rename2",
    [FUSE_LSEEK] = "lseek",
    [FUSE_COPY_FILE_RANGE] = "copy_file_range",
};

void pfs_wire_counts(pfs_wire_count_cb *cb, void *ctx)
{
    uint64_t n, other = 0;

    for (int i = 0; i < OPCODES; i++) {
        n = atomic_load_explicit(&counts[i], memory_order_relaxed);
        if (!names[i] || i == 0)
            other += n;
        else if (n)
            cb(ctx, names[i], n);
    }
    if (other)
        cb(ctx, names[0], other);
}
