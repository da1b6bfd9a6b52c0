#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

void pfs_buf_init(struct pfs_buf *buf, size_t max_bytes)
{
    memset(buf, 0, sizeof(*buf));
    buf->max = max_bytes;
}

void pfs_buf_release(struct pfs_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}

int pfs_buf_reserve(struct pfs_buf *buf, size_t len)
{
    size_t need, cap;
    void *data;

    if (len > buf->max || buf->len > buf->max - len)
        return pfs_fail(PFS_ENOMEM, "a buffer would exceed its maximum of %zu bytes", buf->max);
    need = buf->len + len;
    if (need <= buf->cap)
        return 0;
    cap = buf->cap ? buf->cap : 256;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max)
        cap = buf->max;
    data = realloc(buf->data, cap);
    if (!data)
        return pfs_fail(PFS_ENOMEM, "out of memory for %zu bytes", cap);
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int pfs_buf_add(struct pfs_buf *buf, const void *data, size_t len)
{
    int err = pfs_buf_reserve(buf, len);

    if (err)
        return err;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return 0;
}

void *pfs_buf_extend(struct pfs_buf *buf, size_t len)
{
    void *at;

    if (pfs_buf_reserve(buf, len))
        return NULL;
    at = buf->data + buf->len;
    memset(at, 0, len);
    buf->len += len;
    return at;
}
