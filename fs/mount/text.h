/* Text that is put together piece by piece; the first failure sticks, so that only the end asks. */
#ifndef PFS_MOUNT_TEXT_H
#define PFS_MOUNT_TEXT_H

#include "base/buf.h"

struct pfs_text {
    struct pfs_buf *buf;
    int err; /* of the first addition that failed */
};

/* Append; a failure is remembered and told at the end. */
void pfs_text_add(struct pfs_text *text, const char *piece);

/* The same with a backslash before each comma and backslash: libfuse takes lists of options apart
 * at commas. */
void pfs_text_add_escaped(struct pfs_text *text, const char *piece);

/* At most 127 bytes at a time. */
void pfs_text_printf(struct pfs_text *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
