/* LSN: a byte position in a branch's journal. Printed as Postgres does, `0/16B3748`; in a path,
 * where a slash can't stand, `0-16B3748`. */
#ifndef PFS_WAL_LSN_H
#define PFS_WAL_LSN_H

#include <stdint.h>

#include "base/err.h"

typedef uint64_t pfs_lsn;

#define PFS_LSN_MAX     UINT64_MAX
#define PFS_LSN_STR_MAX 20

struct pfs_lsn_str {
    char s[PFS_LSN_STR_MAX];
};

/* The printed form, by value: pfs_lsn_print(lsn).s */
struct pfs_lsn_str pfs_lsn_print(pfs_lsn lsn);

/* Either printed form. Errors: PFS_EINVAL. */
int pfs_lsn_parse(const char *text, pfs_lsn *lsn_out) PFS_MUST_USE;

#endif
