#include "tests/lib/memio.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A file or a directory, alive as long as it has a name or is open. */
struct node {
    struct node *next;
    char *name; /* NULL: unlinked */
    bool dir;
    unsigned opens;
    unsigned char *data;
    size_t len, cap;
};

struct memio {
    struct pfs_io base;
    pthread_mutex_t mu; /* guards all below and every node */
    struct node *nodes;
    unsigned opens;
    unsigned fail_in; /* 0: no failure is due */
    int fail_err;
    bool lasting, failed;
};

struct mem_file {
    struct pfs_file base;
    struct memio *mem;
    struct node *node;
};

static const struct pfs_io_ops mem_ops;

static struct memio *mem_of(struct pfs_io *io)
{
    assert(io->ops == &mem_ops);
    return (struct memio *)io;
}

static struct mem_file *file_of(struct pfs_file *file)
{
    return (struct mem_file *)file;
}

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

/* Lock, count a call and say whether it is the one to fail. */
static int begin(struct memio *mem, const char *what, const char *name)
{
    pthread_mutex_lock(&mem->mu);
    if (mem->failed && mem->lasting)
        return pfs_fail(mem->fail_err, "%s: %s fails again as the test wants it", name, what);
    if (mem->fail_in == 0 || --mem->fail_in > 0)
        return 0;
    mem->failed = true;
    return pfs_fail(mem->fail_err, "%s: %s fails as the test wants it", name, what);
}

static int end(struct memio *mem, int err)
{
    pthread_mutex_unlock(&mem->mu);
    return err;
}

static struct node *find(struct memio *mem, const char *name)
{
    struct node *node = mem->nodes;

    while (node && (!node->name || strcmp(node->name, name) != 0))
        node = node->next;
    return node;
}

static struct node *make(struct memio *mem, const char *name, bool dir)
{
    struct node *node = need(calloc(1, sizeof(*node)));

    node->name = need(strdup(name));
    node->dir = dir;
    node->next = mem->nodes;
    mem->nodes = node;
    return node;
}

static void resize(struct node *node, size_t len)
{
    if (len > node->cap) {
        node->cap = len > 2 * node->cap ? len : 2 * node->cap;
        node->data = need(realloc(node->data, node->cap));
    }
    if (len > node->len)
        memset(node->data + node->len, 0, len - node->len);
    node->len = len;
}

static void unname(struct memio *mem, struct node *node)
{
    free(node->name);
    node->name = NULL;
    if (node->opens > 0)
        return;
    for (struct node **at = &mem->nodes; *at; at = &(*at)->next)
        if (*at == node) {
            *at = node->next;
            break;
        }
    free(node->data);
    free(node);
}

/* --- struct pfs_io ---------------------------------------------------------------------------- */

static int mem_open(struct pfs_io *io, const char *name, int flags, struct pfs_file **out)
{
    struct memio *mem = mem_of(io);
    struct mem_file *file;
    struct node *node;
    int err = begin(mem, "open", name);

    if (err)
        return end(mem, err);
    node = find(mem, name);
    if (!node && !(flags & PFS_IO_CREATE))
        return end(mem, pfs_fail(PFS_ENOENT, "%s: no such file", name));
    if (node && (flags & PFS_IO_CREATE))
        return end(mem, pfs_fail(PFS_EEXIST, "%s: already there", name));
    if (!node)
        node = make(mem, name, false);
    node->opens++;
    mem->opens++;
    file = need(calloc(1, sizeof(*file)));
    file->base.ops = &mem_ops;
    file->mem = mem;
    file->node = node;
    *out = &file->base;
    return end(mem, 0);
}

static void mem_close(struct pfs_file *base)
{
    struct mem_file *file = file_of(base);
    struct memio *mem = file->mem;

    pthread_mutex_lock(&mem->mu);
    assert(file->node->opens > 0 && mem->opens > 0);
    file->node->opens--;
    mem->opens--;
    if (!file->node->name)
        unname(mem, file->node);
    pthread_mutex_unlock(&mem->mu);
    free(file);
}

static const char *name_of(const struct mem_file *file)
{
    return file->node->name ? file->node->name : "(unlinked)";
}

static int mem_pread(struct pfs_file *base, void *buf, size_t len, uint64_t off)
{
    struct mem_file *file = file_of(base);
    struct node *node = file->node;
    int err = begin(file->mem, "pread", name_of(file));

    if (!err && (off > node->len || len > node->len - off))
        err = pfs_fail(PFS_ECORRUPT, "%s: truncated: %zu bytes at offset %llu are needed",
                       name_of(file), len, (unsigned long long)off);
    if (!err && len > 0)
        memcpy(buf, node->data + off, len);
    return end(file->mem, err);
}

static int mem_pwritev(struct pfs_file *base, const struct iovec *iov, int iovcnt, uint64_t off)
{
    struct mem_file *file = file_of(base);
    struct node *node = file->node;
    int err = begin(file->mem, "pwritev", name_of(file));

    for (int i = 0; i < iovcnt; i++) {
        size_t len = err ? iov[i].iov_len / 2 : iov[i].iov_len;

        if (len > 0) {
            if (off + len > node->len)
                resize(node, off + len);
            memcpy(node->data + off, iov[i].iov_base, len);
        }
        off += len;
        if (err)
            break;
    }
    return end(file->mem, err);
}

static int mem_sync(struct pfs_file *base)
{
    return end(file_of(base)->mem, begin(file_of(base)->mem, "sync", name_of(file_of(base))));
}

static void mem_writeback(struct pfs_file *base, uint64_t off, uint64_t len)
{
    (void)base, (void)off, (void)len;
}

static int mem_size(struct pfs_file *base, uint64_t *size_out)
{
    struct mem_file *file = file_of(base);
    int err = begin(file->mem, "size", name_of(file));

    if (!err)
        *size_out = file->node->len;
    return end(file->mem, err);
}

static int mem_allocate(struct pfs_file *base, uint64_t len)
{
    struct mem_file *file = file_of(base);
    int err = begin(file->mem, "allocate", name_of(file));

    if (!err && len > file->node->len)
        resize(file->node, len);
    return end(file->mem, err);
}

static int mem_rename(struct pfs_io *io, const char *from, const char *to)
{
    struct memio *mem = mem_of(io);
    int err = begin(mem, "rename", from);
    struct node *node = find(mem, from), *old = find(mem, to);

    if (!err && !node)
        err = pfs_fail(PFS_ENOENT, "%s: no such file", from);
    if (!err && node != old) {
        if (old)
            unname(mem, old);
        free(node->name);
        node->name = need(strdup(to));
    }
    return end(mem, err);
}

static int mem_unlink(struct pfs_io *io, const char *name)
{
    struct memio *mem = mem_of(io);
    int err = begin(mem, "unlink", name);
    struct node *node = find(mem, name);

    if (!err && !node)
        err = pfs_fail(PFS_ENOENT, "%s: no such file", name);
    if (!err)
        unname(mem, node);
    return end(mem, err);
}

static int mem_mkdir(struct pfs_io *io, const char *name)
{
    struct memio *mem = mem_of(io);
    int err = begin(mem, "mkdir", name);

    if (!err && find(mem, name))
        err = pfs_fail(PFS_EEXIST, "%s: already there", name);
    if (!err)
        make(mem, name, true);
    return end(mem, err);
}

static int mem_sync_dir(struct pfs_io *io, const char *name)
{
    return end(mem_of(io), begin(mem_of(io), "sync_dir", name));
}

/* The part of a name that stands in directory `dir` itself, or NULL. */
static const char *name_in(const char *dir, const char *name)
{
    size_t len = strcmp(dir, ".") == 0 ? 0 : strlen(dir);

    if (!name || strncmp(name, dir, len) != 0 || (len > 0 && name[len] != '/'))
        return NULL;
    name += len > 0 ? len + 1 : 0;
    return strchr(name, '/') ? NULL : name;
}

static int mem_list(struct pfs_io *io, const char *name, pfs_io_list_cb *cb, void *ctx)
{
    struct memio *mem = mem_of(io);
    int err = begin(mem, "list", name);
    char **names;
    size_t count = 0;

    for (struct node *node = mem->nodes; node; node = node->next)
        count++;
    names = need(calloc(count + 1, sizeof(*names)));
    count = 0;
    for (struct node *node = mem->nodes; node && !err; node = node->next)
        if (name_in(name, node->name))
            names[count++] = need(strdup(name_in(name, node->name)));
    (void)end(mem, 0); /* cb may call us */
    for (size_t i = 0; i < count && !err; i++)
        err = cb(ctx, names[i]);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return err;
}

static int mem_space(struct pfs_io *io, uint64_t *free_out, uint64_t *total_out)
{
    int err = begin(mem_of(io), "space", ".");

    *free_out = UINT64_C(1) << 39;
    *total_out = UINT64_C(1) << 40;
    return end(mem_of(io), err);
}

static void mem_destroy(struct pfs_io *io)
{
    struct memio *mem = mem_of(io);

    assert(mem->opens == 0);
    while (mem->nodes)
        unname(mem, mem->nodes);
    pthread_mutex_destroy(&mem->mu);
    free(mem);
}

static const struct pfs_io_ops mem_ops = {
    .open = mem_open,
    .close = mem_close,
    .pread = mem_pread,
    .pwritev = mem_pwritev,
    .sync = mem_sync,
    .writeback = mem_writeback,
    .size = mem_size,
    .allocate = mem_allocate,
    .rename = mem_rename,
    .unlink = mem_unlink,
    .mkdir = mem_mkdir,
    .sync_dir = mem_sync_dir,
    .list = mem_list,
    .space = mem_space,
    .destroy = mem_destroy,
};

/* --- for tests -------------------------------------------------------------------------------- */

struct pfs_io *memio_create(void)
{
    struct memio *mem = need(calloc(1, sizeof(*mem)));

    mem->base.ops = &mem_ops;
    pthread_mutex_init(&mem->mu, NULL);
    return &mem->base;
}

void memio_put(struct pfs_io *io, const char *name, const void *data, size_t len)
{
    struct node *node = find(mem_of(io), name);

    if (!node)
        node = make(mem_of(io), name, false);
    resize(node, len);
    if (len > 0)
        memcpy(node->data, data, len);
}

unsigned char *memio_bytes(struct pfs_io *io, const char *name, size_t *len_out)
{
    struct node *node = find(mem_of(io), name);

    if (!node)
        return NULL;
    *len_out = node->len;
    return node->data;
}

void memio_resize(struct pfs_io *io, const char *name, size_t len)
{
    resize(need(find(mem_of(io), name)), len);
}

void memio_fail_at(struct pfs_io *io, unsigned nth, int err, bool lasting)
{
    struct memio *mem = mem_of(io);

    mem->fail_in = nth;
    mem->fail_err = err;
    mem->lasting = lasting;
    mem->failed = false;
}

bool memio_failed(struct pfs_io *io)
{
    return mem_of(io)->failed;
}
