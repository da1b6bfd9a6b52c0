#include "fs/pages/volume.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "fs/pages/sealed.h"

#define MAGIC          "pagefs-volume"
#define VOLUME_VERSION 1
#define POLL_NS        20000000
#define FILES_WANTED   100000

struct pfs_volume {
    char *path;
    struct pfs_io *io;
    enum pfs_volume_mode mode;
    int lock_fd; /* -1: none held */
    struct pfs_volume_info info;
};

/* --- the volume file ------------------------------------------------------------------------- */

static void uuid_print(const uint8_t u[16], char text[37])
{
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
             u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

static int uuid_parse(const char *text, uint8_t u[16])
{
    const char *p = text;

    for (int i = 0; i < 16; i++) {
        unsigned byte;

        if (*p == '-')
            p++;
        if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) ||
            sscanf(p, "%2x", &byte) != 1)
            return PFS_ECORRUPT;
        u[i] = (uint8_t)byte;
        p += 2;
    }
    return *p == '\0' ? 0 : PFS_ECORRUPT;
}

static int write_volume_file(struct pfs_io *io, const struct pfs_volume_info *info)
{
    json_t *branches = json_array();
    json_t *doc;
    int err = 0;

    for (unsigned i = 0; i < info->n_branches && !err; i++)
        err = json_array_append_new(branches, json_pack("{s:I, s:s, s:I}", "id",
                                                        (json_int_t)info->branches[i].id, "name",
                                                        info->branches[i].name, "created_ns",
                                                        (json_int_t)info->branches[i].created_ns));
    doc = json_pack("{s:s, s:I, s:I, s:o, s:o}", "uuid", info->uuid_text, "page_size",
                    (json_int_t)info->page_size, "created_ns", (json_int_t)info->created_ns,
                    "name_seed", pfs_json_hex64(info->name_seed), "branches", branches);
    if (!doc || err) {
        json_decref(doc);
        return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    err = pfs_sealed_write(io, ".", "volume", MAGIC, VOLUME_VERSION, doc);
    json_decref(doc);
    return err;
}

static int branch_from_json(const json_t *doc, struct pfs_branch_ref *branch)
{
    const char *name = json_string_value(json_object_get(doc, "name"));
    uint64_t id;
    int err;

    if (!name || !*name || strlen(name) > PFS_BRANCH_NAME_MAX)
        return pfs_fail(PFS_ECORRUPT, "a branch has no proper name");
    if ((err = pfs_json_get_uint(doc, "id", &id)) ||
        (err = pfs_json_get_uint(doc, "created_ns", &branch->created_ns)))
        return err;
    if (id == 0 || id >= UINT64_C(1) << 19)
        return pfs_fail(PFS_ECORRUPT, "branch id %" PRIu64 " is out of range", id);
    branch->id = (uint32_t)id;
    snprintf(branch->name, sizeof(branch->name), "%s", name);
    return 0;
}

static int info_from_json(const json_t *doc, struct pfs_volume_info *info)
{
    const char *uuid = json_string_value(json_object_get(doc, "uuid"));
    const json_t *branches = json_object_get(doc, "branches");
    uint64_t page_size;
    int err;

    if (!uuid || strlen(uuid) != 36 || uuid_parse(uuid, info->uuid))
        return pfs_fail(PFS_ECORRUPT, "'uuid' is missing or malformed");
    uuid_print(info->uuid, info->uuid_text);
    if ((err = pfs_json_get_uint(doc, "page_size", &page_size)) ||
        (err = pfs_json_get_uint(doc, "created_ns", &info->created_ns)) ||
        (err = pfs_json_get_hex64(doc, "name_seed", &info->name_seed)))
        return err;
    if (page_size < PFS_PAGE_SIZE_MIN || page_size > PFS_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0)
        return pfs_fail(PFS_ECORRUPT, "page size %" PRIu64 " makes no sense", page_size);
    info->page_size = (uint32_t)page_size;
    if (json_array_size(branches) == 0 || json_array_size(branches) > PFS_BRANCHES_MAX)
        return pfs_fail(PFS_ECORRUPT, "'branches' is missing or too long");
    info->branches = calloc(json_array_size(branches), sizeof(*info->branches));
    if (!info->branches)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    for (size_t i = 0; i < json_array_size(branches) && !err; i++)
        err = branch_from_json(json_array_get(branches, i), &info->branches[info->n_branches++]);
    return err;
}

static int read_volume_file(struct pfs_volume *v)
{
    json_t *doc;
    int err = pfs_sealed_read(v->io, "volume", MAGIC, VOLUME_VERSION, &doc);

    if (err == PFS_ENOENT)
        return pfs_fail(PFS_ENOENT,
                        "%s is not a pagefs volume (it has no file 'volume'); "
                        "make one with: mkfs.pagefs %s",
                        v->path, v->path);
    if (err)
        return pfs_context(err, "%s", v->path);
    err = info_from_json(doc, &v->info);
    json_decref(doc);
    if (err)
        return pfs_context(err, "%s/volume", v->path);
    return 0;
}

/* --- making one ------------------------------------------------------------------------------ */

int pfs_volume_format(struct pfs_io *io, uint32_t page_size, const uint8_t uuid[16],
                      uint64_t name_seed, uint64_t now_ns)
{
    struct pfs_branch_ref branch = {.id = 1, .name = "main", .created_ns = now_ns};
    struct pfs_volume_info info = {.page_size = page_size,
                                   .created_ns = now_ns,
                                   .name_seed = name_seed,
                                   .n_branches = 1,
                                   .branches = &branch};
    struct pfs_store_config config = {
        .io = io, .dir = "branches/1", .branch_id = 1, .page_size = page_size};
    int err;

    memcpy(info.uuid, uuid, 16);
    memcpy(config.uuid, uuid, 16);
    uuid_print(uuid, info.uuid_text);
    err = io->ops->mkdir(io, "branches");
    if (!err)
        err = io->ops->mkdir(io, "branches/1");
    if (!err)
        err = pfs_store_create(&config);
    if (!err)
        err = io->ops->sync_dir(io, "branches/1");
    if (!err)
        err = io->ops->sync_dir(io, "branches");
    if (!err)
        err = io->ops->sync_dir(io, ".");
    if (!err) /* last: a directory with a volume file is a whole volume */
        err = write_volume_file(io, &info);
    return err;
}

static int refuse_entry(void *ctx, const char *name)
{
    const char *path = ctx;

    if (strcmp(name, "lost+found") == 0)
        return 0;
    if (strcmp(name, "volume") == 0)
        return pfs_fail(PFS_EEXIST, "%s already holds a pagefs volume; it was left as it is", path);
    return pfs_fail(PFS_ENOTEMPTY,
                    "%s is not empty (it holds '%s'); choose an empty or new directory", path,
                    name);
}

static int refuse_volume(void *ctx, const char *name)
{
    return strcmp(name, "volume") == 0 ? refuse_entry(ctx, name) : 0;
}

int pfs_volume_create(const char *path, uint32_t page_size)
{
    uint8_t random[24];
    struct pfs_io *io;
    int err;

    if (page_size < PFS_PAGE_SIZE_MIN || page_size > PFS_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0)
        return pfs_fail(PFS_EINVAL, "page size %u is not 4096, 8192, 16384, 32768 or 65536",
                        page_size);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return pfs_fail_errno(errno, "cannot make directory %s", path);
    err = pfs_io_posix_create(path, &io);
    if (err)
        return err;
    err = io->ops->list(io, ".", refuse_volume, (void *)(uintptr_t)path);
    if (!err)
        err = io->ops->list(io, ".", refuse_entry, (void *)(uintptr_t)path);
    if (!err && getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        err = pfs_fail_errno(errno, "cannot get random bytes");
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40); /* RFC 4122: version 4, random */
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
    if (!err)
        err = pfs_volume_format(io, page_size, random, pfs_get64(random + 16), pfs_wall_ns());
    io->ops->destroy(io);
    return err;
}

/* --- opening one ----------------------------------------------------------------------------- */

static int read_holder(int fd, char *buf, size_t size)
{
    ssize_t n = pread(fd, buf, size - 1, 0);

    if (n <= 0)
        return PFS_ENOENT;
    buf[n] = '\0';
    for (char *c = buf; *c; c++)
        if (*c == '\n')
            *c = c[1] ? ' ' : '\0';
    return 0;
}

static int busy(struct pfs_volume *v)
{
    char holder[512];

    if (read_holder(v->lock_fd, holder, sizeof(holder)))
        snprintf(holder, sizeof(holder), "another process");
    return pfs_fail(PFS_EBUSY, "%s is in use by %s; unmount it there first", v->path, holder);
}

/* The lock is an open file description's (fcntl F_OFD_SETLK): a fork keeps it, asking who has it
 * disturbs nobody, and it is gone with the last process, however that ends. */
static int take_lock(struct pfs_volume *v, unsigned wait_ms)
{
    struct flock lock = {.l_type = v->mode == PFS_VOLUME_WRITE ? F_WRLCK : F_RDLCK,
                         .l_whence = SEEK_SET};
    uint64_t until = pfs_mono_ns() + (uint64_t)wait_ms * 1000000;
    int dirfd = pfs_io_posix_dirfd(v->io);

    v->lock_fd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (v->lock_fd < 0 && v->mode == PFS_VOLUME_READ)
        v->lock_fd = openat(dirfd, "lock", O_RDONLY | O_CLOEXEC);
    if (v->lock_fd < 0 && v->mode == PFS_VOLUME_READ && errno == ENOENT)
        return 0; /* never mounted, on a read-only disk: nobody can be writing */
    if (v->lock_fd < 0)
        return pfs_fail_errno(errno, "cannot open %s/lock", v->path);
    while (fcntl(v->lock_fd, F_OFD_SETLK, &lock) < 0) {
        struct timespec ts = {.tv_nsec = POLL_NS};

        if (errno != EAGAIN && errno != EACCES)
            return pfs_fail_errno(errno, "cannot lock %s/lock", v->path);
        if (pfs_mono_ns() >= until)
            return busy(v);
        nanosleep(&ts, NULL);
    }
    return 0;
}

/* Each layer keeps a descriptor, and a volume with a long history has thousands of layers. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_max < FILES_WANTED) {
        struct rlimit more = {.rlim_cur = FILES_WANTED, .rlim_max = FILES_WANTED};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0) /* root may */
            return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int pfs_volume_open(const char *path, enum pfs_volume_mode mode, unsigned wait_ms,
                    struct pfs_volume **out)
{
    struct pfs_volume *v = calloc(1, sizeof(*v));
    int err;

    if (!v)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    if (mode != PFS_VOLUME_PEEK)
        raise_file_limit();
    v->mode = mode;
    v->lock_fd = -1;
    v->path = strdup(path);
    err = v->path ? pfs_io_posix_create(path, &v->io) : pfs_fail(PFS_ENOMEM, "out of memory");
    if (!err)
        err = read_volume_file(v);
    if (!err && mode != PFS_VOLUME_PEEK)
        err = take_lock(v, wait_ms);
    if (!err && mode == PFS_VOLUME_WRITE) /* mkfs may have been killed before its last sync */
        err = v->io->ops->sync_dir(v->io, ".");
    if (err) {
        if (v->lock_fd >= 0) /* the file is its holder's: leave what it says */
            close(v->lock_fd);
        v->lock_fd = -1;
        pfs_volume_close(v);
        return err;
    }
    *out = v;
    return 0;
}

void pfs_volume_close(struct pfs_volume *v)
{
    if (v->lock_fd >= 0) {
        if (v->mode == PFS_VOLUME_WRITE)
            (void)!ftruncate(v->lock_fd, 0);
        close(v->lock_fd);
    }
    if (v->io)
        v->io->ops->destroy(v->io);
    free(v->info.branches);
    free(v->path);
    free(v);
}

int pfs_volume_set_holder(struct pfs_volume *v, const char *mountpoint)
{
    char host[256] = "?", text[1024];
    int len;

    if (v->mode != PFS_VOLUME_WRITE)
        return 0;
    gethostname(host, sizeof(host) - 1);
    len = snprintf(text, sizeof(text), "pid=%ld\nhost=%s\nmount=%s\n", (long)getpid(), host,
                   mountpoint);
    if (len >= (int)sizeof(text))
        len = (int)sizeof(text) - 1;
    if (ftruncate(v->lock_fd, 0) < 0 || pwrite(v->lock_fd, text, (size_t)len, 0) != len)
        return pfs_fail_errno(errno, "cannot write %s/lock", v->path);
    return 0;
}

int pfs_volume_holder(struct pfs_volume *v, char *buf, size_t size)
{
    int fd = openat(pfs_io_posix_dirfd(v->io), "lock", O_RDONLY | O_CLOEXEC);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int err = PFS_ENOENT;

    if (fd < 0)
        return PFS_ENOENT;
    /* A read lock is in conflict exactly with a writer. */
    if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        err = read_holder(fd, buf, size);
    close(fd);
    return err;
}

const struct pfs_volume_info *pfs_volume_info(const struct pfs_volume *v)
{
    return &v->info;
}

struct pfs_io *pfs_volume_io(struct pfs_volume *v)
{
    return v->io;
}

int pfs_volume_dirfd(struct pfs_volume *v)
{
    return pfs_io_posix_dirfd(v->io);
}

const char *pfs_volume_path(const struct pfs_volume *v)
{
    return v->path;
}

int pfs_volume_find_branch(const struct pfs_volume *v, const char *name,
                           const struct pfs_branch_ref **out)
{
    char names[512] = "";
    size_t len = 0;

    for (unsigned i = 0; i < v->info.n_branches; i++) {
        if (strcmp(v->info.branches[i].name, name) == 0) {
            *out = &v->info.branches[i];
            return 0;
        }
        if (len < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
                                    v->info.branches[i].name);
    }
    return pfs_fail(PFS_ENOENT, "%s has no branch '%s'; it has: %s", v->path, name, names);
}

void pfs_volume_store_config(struct pfs_volume *v, const struct pfs_branch_ref *branch,
                             struct pfs_store_config *config, char dir_buf[64])
{
    memset(config, 0, sizeof(*config));
    snprintf(dir_buf, 64, "branches/%u", (unsigned)branch->id);
    config->io = v->io;
    config->dir = dir_buf;
    memcpy(config->uuid, v->info.uuid, 16);
    config->branch_id = branch->id;
    config->page_size = v->info.page_size;
    config->readonly = v->mode != PFS_VOLUME_WRITE;
    config->background = v->mode == PFS_VOLUME_WRITE;
}
