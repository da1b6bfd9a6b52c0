/* A growable byte buffer with a hard maximum. */
#ifndef PFS_BASE_BUF_H
#define PFS_BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

struct pfs_buf {
    unsigned char *data;
    size_t len;
    size_t cap;
    size_t max; /* growing past this fails with PFS_ENOMEM */
};

/* An empty buffer; nothing is allocated yet. */
void pfs_buf_init(struct pfs_buf *buf, size_t max_bytes);
void pfs_buf_release(struct pfs_buf *buf);

/* Make room for len more bytes. Errors: PFS_ENOMEM. */
int pfs_buf_reserve(struct pfs_buf *buf, size_t len) PFS_MUST_USE;

/* Append len bytes. Errors: PFS_ENOMEM. */
int pfs_buf_add(struct pfs_buf *buf, const void *data, size_t len) PFS_MUST_USE;

/* Append len zero bytes and return where they stand, or NULL. */
void *pfs_buf_extend(struct pfs_buf *buf, size_t len);

#endif
