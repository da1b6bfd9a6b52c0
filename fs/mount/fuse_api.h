/* The one place that chooses libfuse's API version. */
#ifndef PFS_MOUNT_FUSE_API_H
#define PFS_MOUNT_FUSE_API_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
