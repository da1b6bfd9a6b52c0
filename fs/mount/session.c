#include "fs/mount/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/mount/control.h"
#include "fs/mount/init_patch.h"
#include "fs/mount/loop.h"
#include "fs/mount/mount.h"
#include "fs/mount/mountpoint.h"
#include "fs/mount/ops.h"
#include "fs/mount/signals.h"
#include "fs/mount/wire.h"

/* How long to wait for a daemon that has been unmounted and still syncs. */
#define DEPARTING_WAIT_MS 10000

/* The kernel reads ahead 128 KiB unless told otherwise. */
#define READAHEAD_KIB 1024

/* --- the volume ------------------------------------------------------------------------------ */

static int open_volume(struct pfs_mount *m)
{
    const struct pfs_mount_options *opt = m->opt;
    const unsigned wait_ms = pfs_volume_is_mounted(opt->volume) ? 0 : DEPARTING_WAIT_MS;

    return pfs_volume_open(opt->volume, opt->readonly ? PFS_VOLUME_READ : PFS_VOLUME_WRITE, wait_ms,
                           &m->volume);
}

/* The branch that was asked for, or, for the mount of a whole volume, its first: damage is to be
 * seen now and not at the first use. */
static int open_first_branch(struct pfs_mount *m)
{
    const struct pfs_volume_info *info = pfs_volume_info(m->volume);
    const struct pfs_branch_ref *ref;
    struct pfs_tree *tree;
    int err;

    m->page_size = info->page_size;
    if (m->opt->branch) {
        err = pfs_volume_find_branch(m->volume, m->opt->branch, &ref);
        if (err)
            return err;
        m->root_branch = ref->id;
    } else if (info->n_branches == 0) {
        return pfs_fail(PFS_ECORRUPT, "volume %s has no branches", m->opt->volume);
    } else {
        ref = &info->branches[0];
    }
    m->default_branch = ref->id;
    return pfs_branches_tree(&m->branches, ref->id, &tree);
}

/* --- the session ----------------------------------------------------------------------------- */

/* What libfuse said last in this thread, for the message of a failure. */
static _Thread_local char fuse_said[512];

static void note_fuse_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
    char text[sizeof(fuse_said)], *at = text;

    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    if (strncmp(at, "fuse: ", 6) == 0)
        at += 6;
    snprintf(fuse_said, sizeof(fuse_said), "%s", at);
    pfs_log(level <= FUSE_LOG_ERR ? PFS_LOG_WARN : PFS_LOG_DEBUG, "fuse", "%s", at);
}

static int fail_fuse(const char *what, const char *object)
{
    return pfs_fail(PFS_EIO, "%s %s: %s", what, object,
                    fuse_said[0] ? fuse_said : "see what fusermount3 said above");
}

static int new_session(struct pfs_mount *m)
{
    char *list = NULL, *argv[] = {"pagefs", "-o", NULL, NULL};
    struct fuse_args args = {.argc = 3, .argv = argv};
    int err = pfs_mount_options_for_fuse(m->opt, geteuid() == 0, &list);

    if (err)
        return err;
    argv[2] = list;
    m->se = fuse_session_new(&args, &pfs_mount_ops, sizeof(pfs_mount_ops), m);
    if (!m->se)
        err = fail_fuse("mount options", list);
    fuse_opt_free_args(&args);
    free(list);
    return err;
}

static int mount_session(struct pfs_mount *m)
{
    if (access("/dev/fuse", F_OK) != 0 && !pfs_mountpoint_is_fd(m->opt->mountpoint))
        return pfs_fail(PFS_ENOENT, "/dev/fuse: %s (is the kernel's module loaded? modprobe fuse)",
                        strerror(errno));
    if (fuse_session_mount(m->se, m->opt->mountpoint) != 0)
        return fail_fuse("mounting on", m->opt->mountpoint);
    return pfs_wire_attach(m->se);
}

/* Answer requests in this thread until INIT has been: only then is the mount ready. */
static int shake_hands(struct pfs_mount *m)
{
    struct fuse_buf buf = {0};
    int n;

    while (pfs_wire_negotiated() == 0 && !fuse_session_exited(m->se)) {
        n = fuse_session_receive_buf(m->se, &buf);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            break;
        fuse_session_process_buf(m->se, &buf);
    }
    free(buf.mem);
    if (pfs_wire_negotiated() == 0 && !fuse_session_exited(m->se))
        return fail_fuse("starting the mount on", m->opt->mountpoint);
    return 0;
}

/* Sequential reads of a large file in few requests. Best effort: only root may. */
static void set_readahead(const char *device)
{
    char path[96], text[16];
    int fd, len;

    snprintf(path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", device);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    len = snprintf(text, sizeof(text), "%d\n", READAHEAD_KIB);
    if (write(fd, text, (size_t)len) != len)
        pfs_log_debug("mount", "%s: %s", path, strerror(errno));
    close(fd);
}

/* From the first request to the last. */
static int serve(struct pfs_mount *m, pfs_mount_ready_cb *ready, void *ctx)
{
    const char *mountpoint = m->opt->mountpoint;
    struct pfs_control *control = NULL;
    struct pfs_signals signals;
    char device[32] = "";
    int err = pfs_signals_start(&signals, m->se);

    if (err)
        return err;
    if (!m->opt->readonly && pfs_control_start(m, &control) != 0)
        pfs_log_warn("mount", "no control socket, `pagefs status` will know less: %s",
                     pfs_err_message());
    err = shake_hands(m);
    if (!err && !fuse_session_exited(m->se)) {
        if (pfs_mountpoint_device(mountpoint, device, sizeof(device)))
            set_readahead(device);
        pfs_log_info("mount", "volume %s is mounted on %s", m->opt->volume, mountpoint);
        if (ready)
            ready(ctx);
        err = pfs_loop_run(m->se, m->opt->threads, m->opt->spin_us);
    } else if (!err) {
        err = pfs_fail(PFS_EBUSY, "ended by a signal before it was ready");
    }
    pfs_control_stop(control);
    pfs_signals_stop(&signals);
    fuse_session_unmount(m->se);
    if (device[0])
        pfs_mountpoint_detach_dead(mountpoint, device);
    return err;
}

static int mount_and_serve(struct pfs_mount *m, pfs_mount_ready_cb *ready, void *ctx)
{
    int err = new_session(m);

    if (err)
        return err;
    err = mount_session(m);
    if (!err && !m->opt->readonly)
        err = pfs_volume_set_holder(m->volume, m->opt->mountpoint);
    if (!err)
        err = serve(m, ready, ctx);
    else
        fuse_session_unmount(m->se);
    fuse_session_destroy(m->se);
    return err;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int run_on_volume(struct pfs_mount *m, pfs_mount_ready_cb *ready, void *ctx)
{
    char why[1024] = "";
    int err, close_err;
    unsigned left;

    err = pfs_branches_init(&m->branches, m->volume, m->opt);
    if (err)
        return err;
    pfs_handles_init(&m->handles);
    err = open_first_branch(m);
    if (!err)
        err = mount_and_serve(m, ready, ctx);
    if (err)
        snprintf(why, sizeof(why), "%s", pfs_err_message());
    left = pfs_handles_release(&m->handles);
    if (left)
        pfs_log_debug("mount", "%u files were still open", left);
    close_err = pfs_branches_release(&m->branches);
    /* What failed first is what the user wants to know. */
    return err ? pfs_fail(err, "%s", why) : close_err;
}

int pfs_mount_run(const struct pfs_mount_options *opt, pfs_mount_ready_cb *ready, void *ctx)
{
    struct pfs_mount m = {
        .opt = opt, .started_wall_ns = pfs_wall_ns(), .started_mono_ns = pfs_mono_ns()};
    int err;

    pfs_signals_block();
    fuse_set_log_func(note_fuse_log);
    err = open_volume(&m);
    if (err)
        return err;
    err = run_on_volume(&m, ready, ctx);
    pfs_volume_close(m.volume);
    if (!err)
        pfs_log_info("mount", "volume %s is unmounted, all of it is on disk", opt->volume);
    return err;
}
