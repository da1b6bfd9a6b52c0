/* What a mount consists of. Inside fs/mount only. */
#ifndef PFS_MOUNT_MOUNT_H
#define PFS_MOUNT_MOUNT_H

#include <stdint.h>

#include "fs/mount/branches.h"
#include "fs/mount/fuse_api.h"
#include "fs/mount/handles.h"
#include "fs/mount/options.h"
#include "fs/pages/volume.h"

struct pfs_mount {
    const struct pfs_mount_options *opt;
    struct pfs_volume *volume;
    struct pfs_branches branches;
    struct pfs_handles handles;
    struct fuse_session *se;
    uint32_t root_branch;    /* the branch that is the root; 0: the views are */
    uint32_t default_branch; /* statfs of the views tells of it */
    uint32_t page_size;
    uint64_t started_wall_ns, started_mono_ns;
};

#endif
