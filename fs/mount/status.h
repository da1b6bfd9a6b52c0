/* What `status` answers. */
#ifndef PFS_MOUNT_STATUS_H
#define PFS_MOUNT_STATUS_H

#include <jansson.h>

#include "fs/mount/mount.h"

/* Ownership: the caller's reference. NULL without memory. Threads: any, while the mount runs. */
json_t *pfs_status_json(struct pfs_mount *m);

#endif
