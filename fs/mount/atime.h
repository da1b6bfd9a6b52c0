/* When a read moves a file's access time: the rule of relatime, which the tree applies and the
 * caching of files and directories has to foresee. */
#ifndef PFS_MOUNT_ATIME_H
#define PFS_MOUNT_ATIME_H

#include <stdbool.h>

#include "base/clock.h"
#include "fs/tree/tree.h"

#define PFS_RELATIME_STALE_NS ((int64_t)(24 * 3600 * PFS_NS_PER_S))

static inline bool pfs_atime_due(enum pfs_atime mode, const struct pfs_attr *attr)
{
    const int64_t atime = (int64_t)attr->atime_ns;

    if (mode != PFS_ATIME_RELATIME)
        return mode == PFS_ATIME_STRICT;
    return atime <= (int64_t)attr->mtime_ns || atime <= (int64_t)attr->ctime_ns ||
           (int64_t)pfs_wall_ns() - atime >= PFS_RELATIME_STALE_NS;
}

#endif
