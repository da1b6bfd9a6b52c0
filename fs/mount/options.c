#include "fs/mount/options.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/mount/text.h"

#define MIB ((size_t)1 << 20)

enum kind {
    IGNORED, /* of mount(8) and fstab: nothing to do here */
    KERNEL,  /* mount(2) knows it: handed on */
    LABEL,   /* a security label with a value: handed on */
    REFUSED, /* known, and can't be had */
    READONLY,
    NO_XATTR,
    BRANCH,
    LOG,
    CACHE,
    ATIME,
    ALLOW,
    THREADS,
    SPIN,
    MEMTABLE,
    BLOCK_CACHE,
    FLUSH_JOURNAL,
};

/* arg: of READONLY, NO_XATTR, ATIME and ALLOW the value to set; of the others nothing. */
struct word {
    const char *name;
    enum kind kind;
    int arg;
};

static const struct word words[] = {
    {"ro", READONLY, 1},
    {"rw", READONLY, 0},
    {"xattr", NO_XATTR, 0},
    {"noxattr", NO_XATTR, 1},
    {"branch", BRANCH, 0},
    {"cache", CACHE, 0},
    {"log", LOG, 0},
    {"threads", THREADS, 0},
    {"spin", SPIN, 0},
    {"memtable", MEMTABLE, 0},
    {"block_cache", BLOCK_CACHE, 0},
    {"flush_journal", FLUSH_JOURNAL, 0},
    {"allow_other", ALLOW, PFS_ALLOW_OTHER},
    {"noallow_other", ALLOW, PFS_ALLOW_OWNER},
    {"allow_root", ALLOW, PFS_ALLOW_ROOT},
    {"noallow_root", ALLOW, PFS_ALLOW_OWNER},
    {"atime", ATIME, PFS_ATIME_RELATIME},
    {"relatime", ATIME, PFS_ATIME_RELATIME},
    {"norelatime", ATIME, PFS_ATIME_RELATIME},
    {"noatime", ATIME, PFS_ATIME_NOATIME},
    {"strictatime", ATIME, PFS_ATIME_STRICT},
    {"nostrictatime", ATIME, PFS_ATIME_RELATIME},
    {"suid", KERNEL, 0},
    {"nosuid", KERNEL, 0},
    {"dev", KERNEL, 0},
    {"nodev", KERNEL, 0},
    {"exec", KERNEL, 0},
    {"noexec", KERNEL, 0},
    {"sync", KERNEL, 0},
    {"async", KERNEL, 0},
    {"dirsync", KERNEL, 0},
    {"context", LABEL, 0},
    {"fscontext", LABEL, 0},
    {"defcontext", LABEL, 0},
    {"rootcontext", LABEL, 0},
    {"defaults", IGNORED, 0},
    {"default_permissions", IGNORED, 0}, /* always so */
    {"auto", IGNORED, 0},
    {"noauto", IGNORED, 0},
    {"nofail", IGNORED, 0},
    {"_netdev", IGNORED, 0},
    {"user", IGNORED, 0},
    {"nouser", IGNORED, 0},
    {"users", IGNORED, 0},
    {"nousers", IGNORED, 0},
    {"owner", IGNORED, 0},
    {"noowner", IGNORED, 0},
    {"group", IGNORED, 0},
    {"nogroup", IGNORED, 0},
    {"silent", IGNORED, 0},
    {"loud", IGNORED, 0},
    {"diratime", IGNORED, 0},
    {"nodiratime", IGNORED, 0},
    {"lazytime", IGNORED, 0},
    {"nolazytime", IGNORED, 0},
    {"comment", IGNORED, 0},
    {"remount", REFUSED, 0},
    {"bind", REFUSED, 0},
};

void pfs_mount_options_init(struct pfs_mount_options *opt)
{
    *opt = (struct pfs_mount_options){.threads = PFS_MOUNT_THREADS_DEFAULT,
                                      .spin_us = PFS_MOUNT_SPIN_DEFAULT};
    pfs_buf_init(&opt->kernel, 64 * 1024);
}

void pfs_mount_options_release(struct pfs_mount_options *opt)
{
    free(opt->volume);
    free(opt->mountpoint);
    free(opt->branch);
    free(opt->log_file);
    pfs_buf_release(&opt->kernel);
}

static int hand_on(struct pfs_mount_options *opt, const char *name, const char *value)
{
    struct pfs_text text = {.buf = &opt->kernel};

    if (opt->kernel.len)
        pfs_text_add(&text, ",");
    pfs_text_add(&text, name);
    if (value) {
        pfs_text_add(&text, "=");
        pfs_text_add_escaped(&text, value);
    }
    return text.err;
}

static int replace(char **slot, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    free(*slot);
    *slot = copy;
    return 0;
}

static int parse_number(const char *name, const char *value, unsigned long min, unsigned long max,
                        size_t *out)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || n < min || n > max)
        return pfs_fail(PFS_EINVAL, "option %s=%s: a whole number from %lu to %lu is needed", name,
                        value, min, max);
    *out = n;
    return 0;
}

static int parse_mib(const char *name, const char *value, size_t *out)
{
    int err = parse_number(name, value, 1, 1 << 20, out);

    if (!err)
        *out *= MIB;
    return err;
}

static int parse_cache(struct pfs_mount_options *opt, const char *value)
{
    if (strcmp(value, "kernel") == 0)
        opt->cache = PFS_CACHE_KERNEL;
    else if (strcmp(value, "direct") == 0)
        opt->cache = PFS_CACHE_DIRECT;
    else
        return pfs_fail(PFS_EINVAL, "option cache=%s: it is kernel or direct", value);
    return 0;
}

static bool takes_value(enum kind kind)
{
    return kind == LABEL || kind == BRANCH || kind == LOG || kind == CACHE || kind >= THREADS;
}

static int apply_value(struct pfs_mount_options *opt, const struct word *w, const char *value)
{
    size_t n;
    int err;

    switch (w->kind) {
    case LABEL:
        return hand_on(opt, w->name, value);
    case BRANCH:
        return replace(&opt->branch, value);
    case LOG:
        return replace(&opt->log_file, value);
    case CACHE:
        return parse_cache(opt, value);
    case THREADS:
        err = parse_number(w->name, value, 1, PFS_MOUNT_THREADS_MAX, &n);
        if (!err)
            opt->threads = (unsigned)n;
        return err;
    case SPIN:
        err = parse_number(w->name, value, 0, PFS_MOUNT_SPIN_MAX, &n);
        if (!err)
            opt->spin_us = (unsigned)n;
        return err;
    case MEMTABLE:
        return parse_mib(w->name, value, &opt->memtable_bytes);
    case BLOCK_CACHE:
        return parse_mib(w->name, value, &opt->block_cache_bytes);
    default:
        assert(w->kind == FLUSH_JOURNAL);
        return parse_mib(w->name, value, &opt->flush_journal_bytes);
    }
}

static int apply_flag(struct pfs_mount_options *opt, const struct word *w)
{
    switch (w->kind) {
    case READONLY:
        opt->readonly = w->arg != 0;
        return 0;
    case NO_XATTR:
        opt->no_xattr = w->arg != 0;
        return 0;
    case ATIME:
        opt->atime = (enum pfs_atime)w->arg;
        return 0;
    case ALLOW:
        opt->allow = (enum pfs_allow)w->arg;
        return 0;
    case KERNEL:
        return hand_on(opt, w->name, NULL);
    case REFUSED:
        return pfs_fail(PFS_EINVAL, "option %s is not supported: unmount and mount again instead",
                        w->name);
    default:
        assert(w->kind == IGNORED);
        return 0;
    }
}

/* Comments for other programs, which mount(8) may pass on: x-systemd.automount and the like. */
static bool is_foreign(const char *name)
{
    return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0;
}

static int apply(struct pfs_mount_options *opt, const char *name, const char *value, bool sloppy)
{
    if (!*name && !value)
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const struct word *w = &words[i];

        if (strcmp(w->name, name) != 0)
            continue;
        if (w->kind == IGNORED)
            return 0;
        if (takes_value(w->kind) && (!value || !*value))
            return pfs_fail(PFS_EINVAL, "option %s needs a value: %s=...", name, name);
        if (!takes_value(w->kind) && value)
            return pfs_fail(PFS_EINVAL, "option %s takes no value, got %s=%s", name, name, value);
        return value ? apply_value(opt, w, value) : apply_flag(opt, w);
    }
    if (sloppy || is_foreign(name))
        return 0;
    return pfs_fail(PFS_EINVAL, "unknown option %s%s%s", name, value ? "=" : "",
                    value ? value : "");
}

int pfs_mount_options_add(struct pfs_mount_options *opt, const char *list, bool sloppy)
{
    char *text = malloc(strlen(list) + 1);
    char *value = NULL, *to = text;
    bool quoted = false;
    int err = 0;

    if (!text)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    for (const char *from = list; !err; from++) {
        if (*from == '"') {
            quoted = !quoted;
        } else if (*from == '\\' && from[1]) {
            *to++ = *++from;
        } else if (*from == '=' && !value) {
            *to++ = '\0';
            value = to;
        } else if (*from && (*from != ',' || quoted)) {
            *to++ = *from;
        } else {
            *to = '\0';
            err = apply(opt, text, value, sloppy);
            to = text;
            value = NULL;
            if (!*from)
                break;
        }
    }
    free(text);
    return err;
}
