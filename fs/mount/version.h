/* What the programs call themselves. */
#ifndef PFS_MOUNT_VERSION_H
#define PFS_MOUNT_VERSION_H

#ifndef PFS_VERSION
#define PFS_VERSION "0.1"
#endif

#endif
