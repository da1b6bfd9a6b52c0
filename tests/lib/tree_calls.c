#include "tests/lib/tree_calls.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fs/pages/store.h"

static const struct pfs_cred cred = {.uid = 100, .gid = 200};

int calls_setup(void **state)
{
    struct calls *c = calloc(1, sizeof(*c));
    void *x;

    if (!c || fixture_setup(&x))
        return -1;
    c->x = x;
    c->tree = fixture_open_tree(c->x);
    *state = c;
    return 0;
}

int calls_teardown(void **state)
{
    struct calls *c = *state;
    void *x = c->x;

    pfs_tree_close(c->tree);
    fixture_clean(c->x);
    fixture_teardown(&x);
    free(c);
    return 0;
}

void calls_reopen(struct calls *c)
{
    pfs_tree_close(c->tree);
    c->tree = fixture_open_tree(c->x);
}

uint64_t calls_file(struct calls *c, uint64_t parent, const char *name)
{
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_mknod(c->tree, parent, name, S_IFREG | 0644, 0, &cred, &attr), 0);
    return attr.ino;
}

uint64_t calls_dir(struct calls *c, uint64_t parent, const char *name)
{
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_mkdir(c->tree, parent, name, 0755, &cred, &attr), 0);
    return attr.ino;
}

uint64_t calls_find(struct calls *c, uint64_t parent, const char *name)
{
    struct pfs_attr attr;
    int err = pfs_tree_lookup(c->tree, parent, name, &attr);

    if (err == PFS_ENOENT)
        return 0;
    assert_int_equal(err, 0);
    pfs_tree_forget(c->tree, attr.ino, 1);
    return attr.ino;
}

struct pfs_attr calls_attr(struct calls *c, uint64_t ino)
{
    struct pfs_attr attr;

    assert_int_equal(pfs_tree_getattr(c->tree, ino, &attr), 0);
    assert_int_equal(attr.ino, ino);
    return attr;
}

struct pfs_handle *calls_open(struct calls *c, uint64_t ino)
{
    struct pfs_handle *h;

    assert_int_equal(pfs_tree_open_file(c->tree, ino, O_RDWR, &h), 0);
    return h;
}

void calls_write(struct calls *c, struct pfs_handle *h, const void *data, size_t len, uint64_t off)
{
    if (pfs_file_write(c->tree, h, data, len, off, false))
        fail_msg("write: %s", pfs_err_message());
}

void calls_truncate(struct calls *c, uint64_t ino, uint64_t size)
{
    struct pfs_attr attr = {.size = size};

    assert_int_equal(pfs_tree_setattr(c->tree, ino, PFS_SET_SIZE, &attr, &attr), 0);
    assert_int_equal(attr.size, size);
}
