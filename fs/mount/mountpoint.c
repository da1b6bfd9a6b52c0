#include "fs/mount/mountpoint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"

#define PAGEFS_TYPE "fuse.pagefs"

/* --- the table of mounts --------------------------------------------------------------------- */

/* The kernel writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* 36 35 98:0 /root /dir options [optional fields] - type source options */
bool pfs_mounts_parse(char *line, struct pfs_mount_entry *out)
{
    char *save, *field[5], *dir, *word, *type, *source;

    field[0] = strtok_r(line, " \n", &save);
    for (int i = 1; i < 5; i++)
        field[i] = field[i - 1] ? strtok_r(NULL, " \n", &save) : NULL;
    dir = field[4];
    do {
        word = dir ? strtok_r(NULL, " \n", &save) : NULL;
    } while (word && strcmp(word, "-") != 0);
    type = word ? strtok_r(NULL, " \n", &save) : NULL;
    source = type ? strtok_r(NULL, " \n", &save) : NULL;
    if (!source)
        return false;
    unescape(dir);
    unescape(type);
    unescape(source);
    *out = (struct pfs_mount_entry){.device = field[2], .dir = dir, .type = type, .source = source};
    return true;
}

int pfs_mounts_walk(pfs_mounts_cb *cb, void *ctx)
{
    static const char path[] = "/proc/self/mountinfo";
    struct pfs_mount_entry entry;
    char *line = NULL;
    size_t cap = 0;
    int err = 0;
    FILE *f = fopen(path, "re");

    if (!f)
        return pfs_fail_errno(errno, "%s", path);
    while (!err && getline(&line, &cap, f) > 0)
        if (pfs_mounts_parse(line, &entry))
            err = cb(ctx, &entry);
    free(line);
    fclose(f);
    return err;
}

static int is_of_volume(void *ctx, const struct pfs_mount_entry *entry)
{
    return strcmp(entry->type, PAGEFS_TYPE) == 0 && strcmp(entry->source, ctx) == 0;
}

bool pfs_volume_is_mounted(const char *volume)
{
    return pfs_mounts_walk(is_of_volume, (void *)volume) == 1;
}

/* The last mount on a directory hides those before it. */
struct topmost {
    const char *dir;
    bool found;
    char device[32], type[64], source[PATH_MAX];
};

static int note_topmost(void *ctx, const struct pfs_mount_entry *entry)
{
    struct topmost *top = ctx;

    if (strcmp(entry->dir, top->dir) == 0) {
        top->found = true;
        snprintf(top->device, sizeof(top->device), "%s", entry->device);
        snprintf(top->type, sizeof(top->type), "%s", entry->type);
        snprintf(top->source, sizeof(top->source), "%s", entry->source);
    }
    return 0;
}

static bool find_topmost(const char *dir, struct topmost *top)
{
    *top = (struct topmost){.dir = dir};
    return pfs_mounts_walk(note_topmost, top) == 0 && top->found;
}

bool pfs_mountpoint_device(const char *mountpoint, char *device, size_t size)
{
    struct topmost top;

    if (!find_topmost(mountpoint, &top))
        return false;
    snprintf(device, size, "%s", top.device);
    return true;
}

/* A daemon that was killed leaves its mount behind. Not stat(): the kernel may remember what the
 * daemon once answered. */
static bool is_dead(const char *dir)
{
    struct statfs sf;

    return statfs(dir, &sf) != 0 && errno == ENOTCONN;
}

void pfs_mountpoint_detach_dead(const char *mountpoint, const char *device)
{
    struct topmost top;

    if (!is_dead(mountpoint))
        return;
    if (find_topmost(mountpoint, &top) && strcmp(top.device, device) == 0)
        umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* --- the volume and the mountpoint ----------------------------------------------------------- */

int pfs_volume_resolve(const char *volume, char **out)
{
    *out = realpath(volume, NULL);
    if (*out)
        return 0;
    if (errno == ENOENT)
        return pfs_fail(PFS_ENOENT, "volume %s does not exist (mkfs.pagefs %s makes one)", volume,
                        volume);
    return pfs_fail_errno(errno, "volume %s", volume);
}

bool pfs_mountpoint_is_fd(const char *mountpoint)
{
    int fd, len = 0;

    return sscanf(mountpoint, "/dev/fd/%d%n", &fd, &len) == 1 && mountpoint[len] == '\0';
}

/* As realpath(), of a directory whose own inode can't be reached. */
static char *realpath_of_dead(const char *dir)
{
    char *copy = strdup(dir), *slash, *parent = NULL, *out = NULL;

    if (!copy)
        return NULL;
    for (slash = copy + strlen(copy); slash > copy + 1 && slash[-1] == '/'; slash--)
        slash[-1] = '\0';
    slash = strrchr(copy, '/');
    if (slash)
        *slash = '\0';
    parent = realpath(!slash ? "." : *copy ? copy : "/", NULL);
    if (parent && asprintf(&out, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
                           slash ? slash + 1 : copy) < 0)
        out = NULL;
    free(parent);
    free(copy);
    return out;
}

static char *realpath_of_mount(const char *dir)
{
    char *path = realpath(dir, NULL);

    return !path && errno == ENOTCONN ? realpath_of_dead(dir) : path;
}

static int take_away_dead(const char *dir, const char *volume)
{
    struct topmost top;

    if (!find_topmost(dir, &top))
        return pfs_fail(PFS_EBUSY, "mountpoint %s does not answer (%s)", dir, strerror(ENOTCONN));
    if (strcmp(top.type, PAGEFS_TYPE) != 0 || strcmp(top.source, volume) != 0)
        return pfs_fail(PFS_EBUSY,
                        "mountpoint %s is in use by a dead mount of %s (%s); take it away first: "
                        "umount %s",
                        dir, top.source, top.type, dir);
    if (umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        return pfs_fail_errno(errno, "mountpoint %s has a dead mount of this volume; umount", dir);
    pfs_log_warn("mount", "took away the dead mount on %s that an earlier daemon left", dir);
    return 0;
}

static bool is_inside(const char *path, const char *dir)
{
    const size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/' || len == 1);
}

static int check_mountpoint(const char *dir, const char *volume)
{
    struct topmost top;
    struct stat st;

    if (stat(dir, &st) != 0)
        return pfs_fail_errno(errno, "mountpoint %s", dir);
    if (!S_ISDIR(st.st_mode))
        return pfs_fail(PFS_ENOTDIR, "mountpoint %s is not a directory", dir);
    if (find_topmost(dir, &top) && strncmp(top.type, "fuse", 4) == 0)
        return pfs_fail(PFS_EBUSY,
                        "mountpoint %s is in use: %s (%s) is mounted there; unmount it first "
                        "(umount %s) or choose another directory",
                        dir, top.source, top.type, dir);
    if (is_inside(volume, dir))
        return pfs_fail(PFS_EINVAL,
                        "mountpoint %s would hide the volume %s; choose another directory", dir,
                        volume);
    if (is_inside(dir, volume))
        return pfs_fail(PFS_EINVAL,
                        "mountpoint %s is inside %s, which is to be mounted on it; choose another "
                        "directory",
                        dir, volume);
    return 0;
}

int pfs_mountpoint_resolve(const char *dir, const char *volume, char **out)
{
    char *path;
    int err = 0;

    if (pfs_mountpoint_is_fd(dir)) {
        *out = strdup(dir);
        return *out ? 0 : pfs_fail(PFS_ENOMEM, "out of memory");
    }
    path = realpath_of_mount(dir);
    if (!path && errno == ENOENT)
        return pfs_fail(PFS_ENOENT, "mountpoint %s does not exist; make it first: mkdir %s", dir,
                        dir);
    if (!path)
        return pfs_fail_errno(errno, "mountpoint %s", dir);
    if (is_dead(path))
        err = take_away_dead(path, volume);
    if (!err)
        err = check_mountpoint(path, volume);
    if (err)
        free(path);
    else
        *out = path;
    return err;
}
