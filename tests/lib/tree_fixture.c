#include "tests/lib/tree_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fs/pages/volume.h"
#include "fs/tree/name.h"
#include "tests/lib/memio.h"

#define SEED UINT64_C(42)

static const uint8_t uuid[16] = {1, 2, 3};
static const struct pfs_cred root_cred = {0};

static struct pfs_store_config config(struct fixture *x)
{
    struct pfs_store_config c = {
        .io = x->io, .dir = "branches/1", .branch_id = 1, .page_size = 8192};

    memcpy(c.uuid, uuid, sizeof(uuid));
    return c;
}

struct pfs_tree *fixture_open_tree(struct fixture *x)
{
    struct pfs_tree_config c = {.store = x->store, .branch_id = 1, .name_seed = SEED};
    struct pfs_tree *tree;

    assert_int_equal(pfs_tree_open(&c, &tree), 0);
    return tree;
}

static void build(struct fixture *x)
{
    struct pfs_tree *tree = fixture_open_tree(x);
    struct pfs_handle *h;
    struct pfs_attr attr;
    unsigned char data[12000];

    memset(data, 'x', sizeof(data));
    assert_int_equal(pfs_tree_create(tree, PFS_ROOT_INO, "f", 0644, 0, &root_cred, &attr, &h), 0);
    x->f = attr.ino;
    assert_int_equal(pfs_file_write(tree, h, data, sizeof(data), 0, false), 0);
    pfs_tree_release(tree, h);
    assert_int_equal(pfs_tree_mkdir(tree, PFS_ROOT_INO, "d", 0755, &root_cred, &attr), 0);
    x->d = attr.ino;
    assert_int_equal(pfs_tree_mkdir(tree, x->d, "e", 0755, &root_cred, &attr), 0);
    x->e = attr.ino;
    assert_int_equal(pfs_tree_link(tree, x->f, x->d, "g", &attr), 0);
    assert_int_equal(pfs_tree_symlink(tree, PFS_ROOT_INO, "s", "f", &root_cred, &attr), 0);
    x->s = attr.ino;
    assert_int_equal(pfs_tree_setxattr(tree, x->f, "user.a", "1", 1, 0, false), 0);
    assert_int_equal(pfs_tree_setxattr(tree, x->f, "user.b", "2", 1, 0, false), 0);
    pfs_tree_close(tree);
}

int fixture_setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct pfs_store_config c;

    if (!x)
        return -1;
    x->io = memio_create();
    c = config(x);
    if (pfs_volume_format(x->io, 8192, uuid, SEED, 1) || pfs_store_open(&c, &x->store))
        return -1;
    *state = x;
    return 0;
}

int fixture_setup_built(void **state)
{
    int failed = fixture_setup(state);

    if (!failed)
        build(*state);
    return failed;
}

int fixture_teardown(void **state)
{
    struct fixture *x = *state;

    pfs_store_abandon(x->store);
    x->io->ops->destroy(x->io);
    free(x);
    return 0;
}

/* --- checking --------------------------------------------------------------------------------- */

static void on_fault(void *ctx, const char *text)
{
    struct fixture *x = ctx;
    size_t len = strlen(x->said);

    x->n_faults++;
    snprintf(x->said + len, sizeof(x->said) - len, "%s\n", text);
}

int fixture_check(struct fixture *x)
{
    const struct pfs_tree_check_cb cb = {.fault = on_fault, .ctx = x};
    int err;

    x->n_faults = 0;
    x->said[0] = '\0';
    err = pfs_tree_check(x->store, SEED, &cb, &x->stats);
    assert_int_equal(x->stats.faults, x->n_faults);
    return err;
}

void fixture_clean(struct fixture *x)
{
    int err = fixture_check(x);

    if (err)
        fail_msg("%d faults: %s%s", x->n_faults, x->said, pfs_err_message());
}

/* n faults are found, and one of them is said in these words. */
void fixture_finds(struct fixture *x, unsigned n, const char *words)
{
    assert_int_equal(fixture_check(x), PFS_ECORRUPT);
    if (x->n_faults != n || !strstr(x->said, words))
        fail_msg("instead of %u with \"%s\":\n%s", n, words, x->said);
}

/* --- breaking --------------------------------------------------------------------------------- */

void fixture_put(struct fixture *x, struct pfs_key key, enum pfs_kind kind, const void *data,
                 size_t len)
{
    struct pfs_entry entry = {
        .key = key, .kind = (uint8_t)kind, .data = data, .len = (uint32_t)len};
    pfs_lsn lsn;

    assert_int_equal(pfs_store_commit(x->store, PFS_OP_SETATTR, &entry, 1, &lsn), 0);
}

void fixture_drop(struct fixture *x, struct pfs_key key)
{
    fixture_put(x, key, PFS_KIND_DELETE, NULL, 0);
}

void fixture_get_inode(struct fixture *x, uint64_t ino, struct pfs_ivalue *v)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, ino, 0);
    struct pfs_buf value;
    pfs_lsn lsn;

    pfs_buf_init(&value, 65536);
    assert_int_equal(pfs_store_get(x->store, &key, PFS_LSN_MAX, &value, &lsn), 0);
    assert_int_equal(pfs_ivalue_decode(value.data, value.len, lsn, v), 0);
    pfs_buf_release(&value);
}

void fixture_put_inode(struct fixture *x, uint64_t ino, struct pfs_ivalue *v)
{
    unsigned char bytes[PFS_IVALUE_MAX];
    uint32_t len = pfs_ivalue_encode(v, bytes);

    fixture_put(x, pfs_key(PFS_KEY_INODE, ino, 0), PFS_KIND_VALUE, bytes, len);
    pfs_ivalue_release(v);
}

struct pfs_key fixture_slot_of(enum pfs_key_type type, uint64_t ino, const char *name)
{
    return pfs_key(type, ino, pfs_name_slot(SEED, name, strlen(name)));
}

void fixture_put_dentry(struct fixture *x, struct pfs_key key, const char *name, uint64_t child,
                        uint32_t mode)
{
    unsigned char bytes[PFS_DENTRY_MAX];
    struct pfs_entry e = pfs_dentry_put_entry(&key, name, child, mode, bytes);

    fixture_put(x, key, PFS_KIND_VALUE, e.data, e.len);
}

void fixture_name_it(struct fixture *x, uint64_t parent, const char *name, uint64_t child,
                     uint32_t mode)
{
    fixture_put_dentry(x, fixture_slot_of(PFS_KEY_DENTRY, parent, name), name, child, mode);
}

void fixture_unname(struct fixture *x, uint64_t parent, const char *name)
{
    fixture_drop(x, fixture_slot_of(PFS_KEY_DENTRY, parent, name));
}
