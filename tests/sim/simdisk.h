/* A disk in memory that loses power: struct pfs_io with what POSIX promises and not a bit more.
 *
 *   - Written bytes are durable only after a sync of their file. In a power cut each 512-byte
 * sector     that was not is lost or kept, whatever was written before or after it; a sector that
 * was     written twice may come back as it was in between.
 *   - A file's size is durable only after its sync; a file, a rename, an unlink only after a
 *     sync_dir. In a power cut any of those may have happened, but of two that share a name the
 *     second not without the first. A rename is whole or not at all.
 *   - A failed sync is as on Linux: what was dirty counts as clean from then on. Some of it is gone
 *     at once, the rest can still be read and will be gone after the next power cut.
 *   - The death of the process alone (SIMDISK_KILL) loses nothing.
 *
 * What happens is decided by the seed and the calls. Power goes off at a call chosen beforehand,
 * which may have done a part of its work; from then on every call fails with PFS_EIO until
 * simdisk_power_on(). Threads: any, for what is in struct pfs_io_ops. */
#ifndef PFS_TESTS_SIM_SIMDISK_H
#define PFS_TESTS_SIM_SIMDISK_H

#include "base/io.h"

enum simdisk_fault {
    SIMDISK_SYNC,  /* sync fails */
    SIMDISK_WRITE, /* pwritev fails after a part of its work */
    SIMDISK_READ,  /* pread fails */
    SIMDISK_NAMES, /* open, rename, unlink, list, sync_dir, size fail */
    SIMDISK_SPACE, /* pwritev or allocate finds no space */
    SIMDISK_FAULTS
};

enum simdisk_cut {
    SIMDISK_KILL,  /* only the process ended */
    SIMDISK_POWER, /* what wasn't durable may be lost */
};

/* Faults of the disk that no program can cope with: a simulation must find them. */
enum simdisk_plant {
    SIMDISK_HONEST,
    SIMDISK_SYNC_NOTHING,    /* sync returns at once */
    SIMDISK_SYNC_DATA_ONLY,  /* sync forgets the size */
    SIMDISK_SYNC_SKIPS,      /* sync forgets one sector */
    SIMDISK_SYNCDIR_NOTHING, /* sync_dir returns at once */
    SIMDISK_RENAME_LOSES,    /* after a power cut a rename has taken the old name only */
    SIMDISK_TEARS_SYNCED,    /* a power cut zeroes a sector that was durable */
    SIMDISK_WRITE_LIES,      /* a write drops its bytes */
    SIMDISK_READ_FLIPS,      /* a read turns a bit */
    SIMDISK_KILL_LOSES,      /* the end of the process is as bad as a power cut */
    SIMDISK_PLANTS
};

const char *simdisk_plant_name(enum simdisk_plant plant);

/* Destroyed by its ops->destroy, which asserts that every file was closed. */
struct pfs_io *simdisk_create(uint64_t seed, enum simdisk_plant plant);

/* Let each call of this kind fail once in so many times (0: never). */
void simdisk_fail(struct pfs_io *io, enum simdisk_fault fault, unsigned one_in);
void simdisk_heal(struct pfs_io *io); /* none fails any more */
/* While full, nothing new is created or made longer. */
void simdisk_set_full(struct pfs_io *io, bool full);

/* Power goes at the nth call from now; 0: not by itself. */
void simdisk_cut_at(struct pfs_io *io, unsigned nth);
void simdisk_power_off(struct pfs_io *io);
bool simdisk_is_off(struct pfs_io *io);
/* All files have been closed. What is left of the disk is decided now. */
void simdisk_power_on(struct pfs_io *io, enum simdisk_cut cut);

/* Write each call to stderr. */
void simdisk_trace(struct pfs_io *io, bool on);
uint64_t simdisk_calls(struct pfs_io *io);

#endif
