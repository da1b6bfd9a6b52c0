#include "tests/lib/layer_model.h"

#include <stdlib.h>
#include <string.h>

uint64_t model_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct pfs_layer_info model_info(void)
{
    struct pfs_layer_info info = {.branch = 7, .lsn_from = 1000, .lsn_to = 2000};

    memcpy(info.uuid, "0123456789abcdef", 16);
    return info;
}

void model_add(struct model *m, struct pfs_key key, pfs_lsn lsn, uint8_t kind, uint32_t len,
               bool packs)
{
    uint64_t state = key.type ^ key.a << 8 ^ key.b << 24 ^ lsn << 40;
    unsigned char *data = malloc(len + 1);

    if (m->count % 256 == 0)
        m->v = realloc(m->v, (m->count + 256) * sizeof(*m->v));
    if (!data || !m->v)
        abort();
    for (uint32_t i = 0; i < len; i++)
        data[i] = (unsigned char)(packs ? key.b + i / 64 : model_random(&state));
    m->v[m->count++] = (struct pfs_version){
        .key = key, .lsn = lsn, .kind = kind, .depth = lsn % 5, .len = len, .data = data};
}

static int compare(const void *x, const void *y)
{
    const struct pfs_version *a = x, *b = y;

    return pfs_version_cmp(&a->key, a->lsn, &b->key, b->lsn);
}

struct model model_create(uint64_t seed, size_t count, uint32_t max_len)
{
    static const uint8_t types[] = {PFS_KEY_INODE, PFS_KEY_ORPHAN, PFS_KEY_DENTRY, PFS_KEY_XATTR,
                                    PFS_KEY_PAGE};
    struct model m = {0};
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t r = model_random(&seed);
        struct pfs_key key = pfs_key(types[r % 5], r / 5 % 7 * (r >> 63 ? 1 : UINT64_MAX / 7),
                                     r / 64 % (count / 8 + 1));
        uint8_t kind = (uint8_t)(PFS_KIND_VALUE + r / 1024 % 4);
        uint32_t len = (uint32_t)(model_random(&seed) % (max_len + 1));

        if (kind == PFS_KIND_ZERO || kind == PFS_KIND_DELETE)
            len = 0;
        model_add(&m, key, 1001 + model_random(&seed) % 1000, kind, len, r >> 40 & 1);
    }
    if (m.count > 0)
        qsort(m.v, m.count, sizeof(*m.v), compare);
    for (size_t i = 0; i < m.count; i++) {
        if (kept > 0 && compare(&m.v[kept - 1], &m.v[i]) == 0)
            free((void *)(uintptr_t)m.v[i].data);
        else
            m.v[kept++] = m.v[i];
    }
    m.count = kept;
    return m;
}

void model_release(struct model *m)
{
    for (size_t i = 0; i < m->count; i++)
        free((void *)(uintptr_t)m->v[i].data);
    free(m->v);
}

size_t model_seek(const struct model *m, const struct pfs_key *key, pfs_lsn lsn)
{
    size_t i = 0;

    while (i < m->count && pfs_version_cmp(&m->v[i].key, m->v[i].lsn, key, lsn) < 0)
        i++;
    return i;
}

int model_write(const struct model *m, struct pfs_io *io, const char *name,
                struct pfs_layer_info *info_out)
{
    struct pfs_layer_info info = model_info();
    struct pfs_layer_writer *w;
    int err = pfs_layer_writer_create(io, name, &info, &w);

    if (err)
        return err;
    for (size_t i = 0; i < m->count && !err; i++)
        err = pfs_layer_writer_add(w, &m->v[i]);
    if (!err)
        err = pfs_layer_writer_finish(w, info_out);
    pfs_layer_writer_destroy(w);
    if (err)
        (void)io->ops->unlink(io, name);
    return err;
}

bool model_same(const struct pfs_version *x, const struct pfs_version *y)
{
    return pfs_version_cmp(&x->key, x->lsn, &y->key, y->lsn) == 0 && x->kind == y->kind &&
           x->depth == y->depth && x->len == y->len && memcmp(x->data, y->data, x->len) == 0;
}

int model_compare(const struct model *m, struct pfs_layer *layer, size_t *wrong_out)
{
    struct pfs_layer_cursor cur;
    struct pfs_key first = {0};
    size_t i = 0;
    int err;

    *wrong_out = 0;
    pfs_layer_cursor_init(&cur, layer);
    err = pfs_layer_cursor_seek(&cur, &first, PFS_LSN_MAX);
    for (; !err && cur.valid; i++) {
        if (i >= m->count || !model_same(&cur.at, &m->v[i]))
            ++*wrong_out;
        err = pfs_layer_cursor_next(&cur);
    }
    if (!err && i < m->count)
        *wrong_out += m->count - i;
    pfs_layer_cursor_release(&cur);
    return err;
}
