/* A volume: the directory that holds a pagefs store.
 *
 *   VOLUME/volume                  what it is: sealed JSON (format, uuid, page size, branches)
 *   VOLUME/lock                    locked by the mount; "pid=…\nhost=…\nmount=…\n"
 *   VOLUME/control                 socket of the running mount
 *   VOLUME/branches/ID/manifest    what layers and journal the branch consists of
 *   VOLUME/branches/ID/journal/    segments
 *   VOLUME/branches/ID/layers/     delta layers
 */
#ifndef PFS_PAGES_VOLUME_H
#define PFS_PAGES_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "fs/pages/store.h"

#define PFS_PAGE_SIZE_DEFAULT 8192
#define PFS_PAGE_SIZE_MIN     4096
#define PFS_PAGE_SIZE_MAX     65536
#define PFS_BRANCH_NAME_MAX   255
#define PFS_BRANCHES_MAX      4096

struct pfs_branch_ref {
    uint32_t id;
    char name[PFS_BRANCH_NAME_MAX + 1];
    uint64_t created_ns;
};

struct pfs_volume_info {
    char uuid_text[37];
    uint8_t uuid[16];
    uint32_t page_size;
    uint64_t created_ns;
    uint64_t name_seed;
    unsigned n_branches;
    struct pfs_branch_ref *branches;
};

struct pfs_volume;

/* Make a volume in directory `path`, which is created if it isn't there and must be empty.
 * Errors: PFS_EEXIST (holds a volume), PFS_ENOTEMPTY (holds something else), PFS_EINVAL (page size
 * no power of two from 4096 to 65536). */
int pfs_volume_create(const char *path, uint32_t page_size) PFS_MUST_USE;
/* The same on any io (tests); uuid and seed are given. */
int pfs_volume_format(struct pfs_io *io, uint32_t page_size, const uint8_t uuid[16],
                      uint64_t name_seed, uint64_t now_ns) PFS_MUST_USE;

enum pfs_volume_mode {
    PFS_VOLUME_PEEK,  /* read the volume file only; takes no lock */
    PFS_VOLUME_READ,  /* shared lock: others may read, nobody write */
    PFS_VOLUME_WRITE, /* exclusive lock */
};

/* Errors: PFS_ENOENT (no such directory, or no volume in it), PFS_EBUSY (locked: the message names
 * the holder's pid and host), PFS_ECORRUPT, PFS_EVERSION, PFS_EROFS. wait_ms: how long to wait for
 * a departing holder. */
int pfs_volume_open(const char *path, enum pfs_volume_mode mode, unsigned wait_ms,
                    struct pfs_volume **out) PFS_MUST_USE;
void pfs_volume_close(struct pfs_volume *volume); /* releases the lock; stores must be closed */

/* After a fork the lock belongs to the child as well; it writes its own pid and mountpoint. */
int pfs_volume_set_holder(struct pfs_volume *volume, const char *mountpoint) PFS_MUST_USE;
/* "pid=123 host=abc mount=/mnt" of a running holder into buf, or PFS_ENOENT if none holds it. */
int pfs_volume_holder(struct pfs_volume *volume, char *buf, size_t size) PFS_MUST_USE;

/* What it is made of; all of it stays the volume's. */
const struct pfs_volume_info *pfs_volume_info(const struct pfs_volume *volume);
struct pfs_io *pfs_volume_io(struct pfs_volume *volume);
int pfs_volume_dirfd(struct pfs_volume *volume);
const char *pfs_volume_path(const struct pfs_volume *volume);

/* Errors: PFS_ENOENT with the names there are. */
int pfs_volume_find_branch(const struct pfs_volume *volume, const char *name,
                           const struct pfs_branch_ref **out) PFS_MUST_USE;

/* The store configuration of a branch (io, dir, uuid, sizes); the caller may adjust the rest.
 * dir_buf holds the directory's name as long as config is used. */
void pfs_volume_store_config(struct pfs_volume *volume, const struct pfs_branch_ref *branch,
                             struct pfs_store_config *config, char dir_buf[64]);

#endif
