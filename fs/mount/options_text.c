/* The options as text: for libfuse and mount(2), and for people. */
#include <string.h>

#include "fs/mount/options.h"
#include "fs/mount/text.h"

static const char *const atime_names[] = {"relatime", "noatime", "strictatime"};

/* opt->kernel is text without an end. */
static void add_kernel_options(struct pfs_text *text, const struct pfs_mount_options *opt)
{
    if (opt->kernel.len == 0)
        return;
    pfs_text_add(text, ",");
    if (!text->err)
        text->err = pfs_buf_add(text->buf, opt->kernel.data, opt->kernel.len);
}

static void add_mib(struct pfs_text *text, const char *name, size_t bytes)
{
    if (bytes)
        pfs_text_printf(text, ",%s=%zu", name, bytes >> 20);
}

void pfs_mount_options_print(const struct pfs_mount_options *opt, char *out, size_t size)
{
    struct pfs_buf buf;
    struct pfs_text text = {.buf = &buf};
    size_t len;

    pfs_buf_init(&buf, 128 * 1024);
    pfs_text_printf(&text, "%s,%s,cache=%s,threads=%u", opt->readonly ? "ro" : "rw",
                    atime_names[opt->atime], opt->cache == PFS_CACHE_DIRECT ? "direct" : "kernel",
                    opt->threads);
    if (opt->spin_us != PFS_MOUNT_SPIN_DEFAULT)
        pfs_text_printf(&text, ",spin=%u", opt->spin_us);
    if (opt->no_xattr)
        pfs_text_add(&text, ",noxattr");
    if (opt->branch) {
        pfs_text_add(&text, ",branch=");
        pfs_text_add_escaped(&text, opt->branch);
    }
    add_mib(&text, "memtable", opt->memtable_bytes);
    add_mib(&text, "block_cache", opt->block_cache_bytes);
    add_mib(&text, "flush_journal", opt->flush_journal_bytes);
    add_kernel_options(&text, opt);
    len = buf.len < size ? buf.len : size - 1;
    if (len)
        memcpy(out, buf.data, len);
    out[len] = '\0';
    pfs_buf_release(&buf);
}

static const char *allow_text(enum pfs_allow allow, bool is_root)
{
    if (allow == PFS_ALLOW_DEFAULT)
        allow = is_root ? PFS_ALLOW_OTHER : PFS_ALLOW_OWNER;
    return allow == PFS_ALLOW_OTHER ? ",allow_other" : allow == PFS_ALLOW_ROOT ? ",allow_root" : "";
}

int pfs_mount_options_for_fuse(const struct pfs_mount_options *opt, bool is_root, char **out)
{
    struct pfs_buf buf;
    struct pfs_text text = {.buf = &buf};

    pfs_buf_init(&buf, 256 * 1024);
    pfs_text_printf(&text, "subtype=pagefs,default_permissions,max_read=%u", (unsigned)PFS_IO_MAX);
    /* libfuse starts from nosuid,nodev; a filesystem that root mounts starts without. */
    if (is_root)
        pfs_text_add(&text, ",suid,dev");
    pfs_text_add(&text, allow_text(opt->allow, is_root));
    pfs_text_add(&text, opt->readonly ? ",ro" : ",rw");
    if (opt->atime == PFS_ATIME_NOATIME)
        pfs_text_add(&text, ",noatime");
    add_kernel_options(&text, opt);
    pfs_text_add(&text, ",fsname=");
    pfs_text_add_escaped(&text, opt->volume);
    if (!text.err)
        text.err = pfs_buf_add(&buf, "", 1);
    if (text.err)
        pfs_buf_release(&buf);
    else
        *out = (char *)buf.data;
    return text.err;
}
