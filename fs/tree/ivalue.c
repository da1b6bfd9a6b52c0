#include "fs/tree/ivalue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define IVALUE_VERSION 1

uint32_t pfs_ivalue_encode(const struct pfs_ivalue *iv, unsigned char *out)
{
    size_t target_len = iv->target ? strlen(iv->target) : 0;
    unsigned char *p = out + PFS_IVALUE_FIXED;

    assert(iv->n_marks <= PFS_MARKS_MAX && target_len <= 4095);
    memset(out, 0, PFS_IVALUE_FIXED);
    out[0] = IVALUE_VERSION;
    pfs_put16(out + 2, (uint16_t)iv->n_marks);
    pfs_put32(out + 4, iv->mode);
    pfs_put32(out + 8, iv->nlink);
    pfs_put32(out + 12, iv->uid);
    pfs_put32(out + 16, iv->gid);
    pfs_put32(out + 20, iv->rdev);
    pfs_put64(out + 24, iv->size);
    pfs_put64(out + 32, iv->pages);
    pfs_put64(out + 40, iv->atime_ns);
    pfs_put64(out + 48, iv->mtime_ns);
    pfs_put64(out + 56, iv->ctime_ns);
    pfs_put64(out + 64, iv->btime_ns);
    pfs_put64(out + 72, iv->parent);
    pfs_put32(out + 80, iv->n_xattrs);
    pfs_put32(out + 84, (uint32_t)target_len);
    for (unsigned i = 0; i < iv->n_marks; i++, p += 16) {
        pfs_put64(p, iv->marks[i].lsn);
        pfs_put64(p + 8, iv->marks[i].size);
    }
    if (target_len)
        memcpy(p, iv->target, target_len);
    return (uint32_t)(PFS_IVALUE_FIXED + iv->n_marks * 16 + target_len);
}

static int decode_tail(const unsigned char *p, size_t target_len, pfs_lsn lsn,
                       struct pfs_ivalue *iv)
{
    if (iv->n_marks) {
        iv->marks = malloc(iv->n_marks * sizeof(*iv->marks));
        if (!iv->marks)
            return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    for (unsigned i = 0; i < iv->n_marks; i++, p += 16) {
        iv->marks[i].lsn = pfs_get64(p);
        iv->marks[i].size = pfs_get64(p + 8);
        if (iv->marks[i].lsn == 0)
            iv->marks[i].lsn = lsn;
        if (i > 0 && (iv->marks[i].lsn <= iv->marks[i - 1].lsn ||
                      iv->marks[i].size <= iv->marks[i - 1].size))
            return pfs_fail(PFS_ECORRUPT, "an inode's truncation marks are out of order");
    }
    if (target_len) {
        if (memchr(p, '\0', target_len))
            return pfs_fail(PFS_ECORRUPT, "a symlink's target has a zero in it");
        iv->target = malloc(target_len + 1);
        if (!iv->target)
            return pfs_fail(PFS_ENOMEM, "out of memory");
        memcpy(iv->target, p, target_len);
        iv->target[target_len] = '\0';
    }
    return 0;
}

int pfs_ivalue_decode(const void *data, size_t len, pfs_lsn lsn, struct pfs_ivalue *iv)
{
    const unsigned char *p = data;
    size_t target_len;
    int err;

    memset(iv, 0, sizeof(*iv));
    if (len < PFS_IVALUE_FIXED || p[0] == 0)
        return pfs_fail(PFS_ECORRUPT, "an inode's value is %zu bytes short or malformed", len);
    if (p[0] > IVALUE_VERSION)
        return pfs_fail(PFS_EVERSION, "an inode has format %u, this program knows %u", p[0],
                        IVALUE_VERSION);
    iv->n_marks = pfs_get16(p + 2);
    iv->mode = pfs_get32(p + 4);
    iv->nlink = pfs_get32(p + 8);
    iv->uid = pfs_get32(p + 12);
    iv->gid = pfs_get32(p + 16);
    iv->rdev = pfs_get32(p + 20);
    iv->size = pfs_get64(p + 24);
    iv->pages = pfs_get64(p + 32);
    iv->atime_ns = pfs_get64(p + 40);
    iv->mtime_ns = pfs_get64(p + 48);
    iv->ctime_ns = pfs_get64(p + 56);
    iv->btime_ns = pfs_get64(p + 64);
    iv->parent = pfs_get64(p + 72);
    iv->n_xattrs = pfs_get32(p + 80);
    target_len = pfs_get32(p + 84);
    if (iv->n_marks > PFS_MARKS_MAX || target_len > 4095 ||
        len != PFS_IVALUE_FIXED + iv->n_marks * 16 + target_len)
        return pfs_fail(PFS_ECORRUPT, "an inode's value has the wrong length");
    err = decode_tail(p + PFS_IVALUE_FIXED, target_len, lsn, iv);
    if (err)
        pfs_ivalue_release(iv);
    return err;
}

void pfs_ivalue_release(struct pfs_ivalue *iv)
{
    free(iv->marks);
    free(iv->target);
    iv->marks = NULL;
    iv->target = NULL;
    iv->n_marks = 0;
}

unsigned pfs_marks_push(const struct pfs_mark *marks, unsigned n, uint64_t size,
                        struct pfs_mark *out)
{
    while (n > 0 && marks[n - 1].size >= size)
        n--;
    if (n > 0)
        memcpy(out, marks, n * sizeof(*out));
    out[n] = (struct pfs_mark){.lsn = 0, .size = size};
    return n + 1;
}

uint64_t pfs_marks_cut(const struct pfs_mark *marks, unsigned n, pfs_lsn lsn)
{
    /* Sizes ascend: the first mark that is newer cuts deepest. */
    for (unsigned i = 0; i < n; i++)
        if (marks[i].lsn > lsn)
            return marks[i].size;
    return UINT64_MAX;
}
