/* mount.pagefs: what mount(8) calls for `mount -t pagefs VOLUME DIR`; a program of its own, too.
 *
 * Exit codes are mount(8)'s: 1 wrong usage or permissions, 2 the system, 8 interrupted, 32 the
 * mount failed. Once the mount is in the background its exit code is nobody's; what goes wrong then
 * is in its log. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "fs/mount/daemon.h"
#include "fs/mount/mountpoint.h"
#include "fs/mount/options.h"
#include "fs/mount/session.h"
#include "fs/mount/version.h"

#define EXIT_USAGE  1
#define EXIT_SYSTEM 2
#define EXIT_MOUNT  32

struct command {
    struct pfs_mount_options opt;
    const char *volume, *mountpoint; /* as given */
    const char *namespace;           /* -N, or NULL */
    bool foreground, verbose, sloppy;
    struct pfs_daemon daemon;
    int log_fd; /* -1: no log= */
    bool ready;
};

static const char help[] =
    "Usage: mount.pagefs VOLUME DIR [-fnsv] [-N NAMESPACE] [-o OPTION,...] [-t TYPE]\n"
    "Mount the pagefs volume VOLUME, a directory made by mkfs.pagefs, on the directory DIR.\n"
    "Also called as: mount -t pagefs VOLUME DIR [-o OPTION,...]\n"
    "\n"
    "  -f    stay in the foreground and log to stderr (mount(8)'s own -f is another)\n"
    "  -n    accepted, nothing is written to /etc/mtab\n"
    "  -s    ignore unknown options\n"
    "  -v    say what is done\n"
    "  -N    mount in another mount namespace: its process id or its file\n"
    "  -o    options, separated by commas (may be given several times):\n"
    "          branch=NAME           this branch is the root of the mount, not the whole volume\n"
    "          ro, rw                read-only, or (default) not\n"
    "          cache=kernel|direct   let the kernel cache files (default), or not\n"
    "          noatime, relatime, strictatime   when a read moves a file's access time\n"
    "          noxattr               no extended attributes and ACLs: fewer requests\n"
    "          allow_other, noallow_other, allow_root   who else may use it (root: others may)\n"
    "          log=FILE              append the log to FILE instead of sending it to syslog\n"
    "          threads=N, memtable=MIB, block_cache=MIB, flush_journal=MIB   see mount.pagefs(8)\n"
    "        and those of mount(8): dev, suid, exec, sync, dirsync, their opposites, ...\n"
    "  --help, --version\n";

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int fail_usage(const char *message)
{
    fprintf(stderr, "%s: %s\nTry '%s --help'.\n", program_invocation_short_name, message,
            program_invocation_short_name);
    return EXIT_USAGE;
}

/* Returns an exit code, or -1 to go on. */
static int take_option(struct command *c, int letter)
{
    switch (letter) {
    case 'f':
        c->foreground = true;
        return -1;
    case 'v':
        c->verbose = true;
        return -1;
    case 'n':
    case 's': /* seen before the others */
    case 't':
        return -1;
    case 'N':
        c->namespace = optarg;
        return -1;
    case 'o':
        return pfs_mount_options_add(&c->opt, optarg, c->sloppy) ? fail_usage(pfs_err_message())
                                                                 : -1;
    case 'h':
        fputs(help, stdout);
        return 0;
    case 'V':
        printf("mount.pagefs %s\n", PFS_VERSION);
        return 0;
    default: /* getopt has said what is wrong */
        fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
        return EXIT_USAGE;
    }
}

static int parse(struct command *c, int argc, char **argv)
{
    static const char letters[] = "fnsvN:o:t:hV";
    int letter, code;

    /* -s counts for options before it as well. */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1)
        if (letter == 's')
            c->sloppy = true;
    opterr = 1;
    optind = 0;
    while ((letter = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        code = take_option(c, letter);
        if (code >= 0)
            return code;
    }
    if (argc - optind != 2)
        return fail_usage(argc - optind < 2 ? "a volume and a directory are needed"
                                            : "too many arguments");
    c->volume = argv[optind];
    c->mountpoint = argv[optind + 1];
    return -1;
}

static int exit_code_of(int err)
{
    switch (err) {
    case PFS_EINVAL:
    case PFS_EACCES:
    case PFS_EPERM:
        return EXIT_USAGE;
    case PFS_ENOMEM:
        return EXIT_SYSTEM;
    default:
        return EXIT_MOUNT;
    }
}

static int enter_namespace(const char *name)
{
    const bool is_pid = name[0] && strspn(name, "0123456789") == strlen(name);
    char path[PATH_MAX];
    int fd, err = 0;

    snprintf(path, sizeof(path), is_pid ? "/proc/%s/ns/mnt" : "%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pfs_fail_errno(errno, "namespace %s", path);
    if (setns(fd, CLONE_NEWNS) != 0)
        err = pfs_fail_errno(errno, "entering namespace %s", path);
    close(fd);
    return err;
}

/* All that can be checked while there still is a terminal to say it on. */
static int prepare(struct command *c)
{
    int err = c->namespace ? enter_namespace(c->namespace) : 0;

    if (!err)
        err = pfs_volume_resolve(c->volume, &c->opt.volume);
    if (!err)
        err = pfs_mountpoint_resolve(c->mountpoint, c->opt.volume, &c->opt.mountpoint);
    if (!err && c->opt.log_file) {
        c->log_fd = open(c->opt.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (c->log_fd < 0)
            err = pfs_fail_errno(errno, "log file %s", c->opt.log_file);
    }
    return err;
}

static void on_ready(void *ctx)
{
    struct command *c = ctx;
    char options[1024];

    c->ready = true;
    if (c->verbose) {
        pfs_mount_options_print(&c->opt, options, sizeof(options));
        printf("%s: %s is mounted on %s (%s), served by process %d\n",
               program_invocation_short_name, c->opt.volume, c->opt.mountpoint, options,
               (int)getpid());
        fflush(stdout);
    }
    if (!c->foreground)
        pfs_daemon_ready(&c->daemon);
}

static int run(struct command *c)
{
    int err = pfs_mount_run(&c->opt, on_ready, c);

    if (!err)
        return 0;
    if (c->ready) {
        pfs_log_error("mount", "%s: %s", c->opt.volume, pfs_err_message());
        return EXIT_SYSTEM;
    }
    if (c->foreground)
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, pfs_err_message());
    else
        pfs_daemon_failed(&c->daemon, exit_code_of(err), pfs_err_message());
    return exit_code_of(err);
}

static int mount_volume(struct command *c)
{
    int keep_fd = -1, err = prepare(c);

    if (!err && c->foreground && c->log_fd >= 0 && dup2(c->log_fd, STDERR_FILENO) < 0)
        err = pfs_fail_errno(errno, "log file %s", c->opt.log_file);
    if (!err && !c->foreground) {
        if (pfs_mountpoint_is_fd(c->opt.mountpoint))
            keep_fd = atoi(c->opt.mountpoint + strlen("/dev/fd/"));
        err = pfs_daemon_start(&c->daemon, c->log_fd, keep_fd);
    }
    if (err) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, pfs_err_message());
        return exit_code_of(err);
    }
    return run(c);
}

int main(int argc, char **argv)
{
    struct command c = {.log_fd = -1};
    int code;

    /* Requests are answered by many threads that allocate little: an arena for each would only
     * scatter the memory. */
    mallopt(M_ARENA_MAX, 4);
    pfs_mount_options_init(&c.opt);
    code = parse(&c, argc, argv);
    if (code < 0)
        code = mount_volume(&c);
    pfs_mount_options_release(&c.opt);
    return code;
}
