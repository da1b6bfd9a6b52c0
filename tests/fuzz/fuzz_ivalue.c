/* Any bytes as what a key of the tree holds: an inode, a directory entry, an access control list.
 * The first byte chooses. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/acl.h"
#include "fs/tree/ivalue.h"
#include "fs/tree/name.h"

#define LSN UINT64_C(0x1234568)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_marks(const struct pfs_ivalue *v)
{
    struct pfs_mark pushed[PFS_MARKS_MAX + 1];
    uint64_t size = v->n_marks > 1 ? v->marks[v->n_marks / 2].size : v->size;
    unsigned n = pfs_marks_push(v->marks, v->n_marks, size, pushed);

    assert(n >= 1 && n <= v->n_marks + 1);
    assert(pushed[n - 1].lsn == 0 && pushed[n - 1].size == size);
    for (unsigned i = 1; i < n; i++)
        assert(pushed[i].size > pushed[i - 1].size);
    for (unsigned i = 0; i < v->n_marks && v->marks[i].size < UINT64_MAX; i++) {
        assert(pfs_marks_cut(v->marks, v->n_marks, v->marks[i].lsn - 1) <= v->marks[i].size);
        assert(pfs_marks_cut(v->marks, v->n_marks, v->marks[i].lsn) > v->marks[i].size);
    }
}

static void inode(const unsigned char *data, size_t size)
{
    unsigned char again[PFS_IVALUE_MAX];
    struct pfs_ivalue v, w;
    uint32_t len;

    if (pfs_ivalue_decode(data, size, LSN, &v))
        return;
    check_marks(&v);
    len = pfs_ivalue_encode(&v, again);
    assert(len <= sizeof(again));
    assert(pfs_ivalue_decode(again, len, LSN, &w) == 0);
    assert(v.n_marks == w.n_marks && v.size == w.size && v.mode == w.mode);
    assert(v.n_marks == 0 || memcmp(v.marks, w.marks, v.n_marks * sizeof(*v.marks)) == 0);
    assert(!v.target == !w.target && (!v.target || strcmp(v.target, w.target) == 0));
    pfs_ivalue_release(&v);
    pfs_ivalue_release(&w);
}

static void dentry(const unsigned char *data, size_t size)
{
    struct pfs_dentry d;

    if (pfs_dentry_decode(data, size, &d))
        return;
    assert(d.name_len <= PFS_NAME_MAX && d.name + d.name_len == (const char *)data + size);
    assert((d.child == 0) == (d.name_len == 0));
}

static void acl(unsigned char *data, size_t size)
{
    uint32_t mode = 0100777, again = mode;
    bool minimal;

    if (pfs_acl_to_mode(data, size, &mode, &minimal))
        return;
    assert((mode & ~UINT32_C(0777)) == 0100000);
    assert(pfs_acl_chmod(data, size, 0640) == 0);
    assert(pfs_acl_to_mode(data, size, &again, &minimal) == 0);
    assert((again & 0777) == 0640);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes;

    if (size == 0)
        return 0;
    bytes = malloc(size - 1 ? size - 1 : 1);
    if (!bytes)
        abort();
    memcpy(bytes, data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        inode(bytes, size - 1);
        break;
    case 1:
        dentry(bytes, size - 1);
        break;
    default:
        acl(bytes, size - 1);
        break;
    }
    free(bytes);
    return 0;
}
