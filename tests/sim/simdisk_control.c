/* What a simulation does to its disk. */
#include <assert.h>
#include <string.h>

#include "tests/sim/simdisk_impl.h"

static struct simdisk *disk_of(struct pfs_io *io)
{
    return (struct simdisk *)io;
}

void simdisk_power_on(struct pfs_io *io, enum simdisk_cut cut)
{
    struct simdisk *d = disk_of(io);

    assert(d->opens == 0);
    if (cut == SIMDISK_POWER || d->plant == SIMDISK_KILL_LOSES)
        sim_cut_power(d);
    d->off = false;
    d->cut_in = 0;
}

void simdisk_power_off(struct pfs_io *io)
{
    struct simdisk *d = disk_of(io);

    pthread_mutex_lock(&d->mu);
    d->off = true;
    pthread_mutex_unlock(&d->mu);
}

bool simdisk_is_off(struct pfs_io *io)
{
    struct simdisk *d = disk_of(io);
    bool off;

    pthread_mutex_lock(&d->mu);
    off = d->off;
    pthread_mutex_unlock(&d->mu);
    return off;
}

void simdisk_cut_at(struct pfs_io *io, unsigned nth)
{
    disk_of(io)->cut_in = nth;
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static const char *const plant_names[SIMDISK_PLANTS] = {
    "honest",       "sync-nothing", "sync-data-only", "sync-skips", "syncdir-nothing",
    "rename-loses", "tears-synced", "write-lies",     "read-flips", "kill-loses",
};

const char *simdisk_plant_name(enum simdisk_plant plant)
{
    return plant_names[plant];
}

void simdisk_fail(struct pfs_io *io, enum simdisk_fault fault, unsigned one_in)
{
    disk_of(io)->one_in[fault] = one_in;
}

void simdisk_heal(struct pfs_io *io)
{
    memset(disk_of(io)->one_in, 0, sizeof(disk_of(io)->one_in));
}

void simdisk_set_full(struct pfs_io *io, bool full)
{
    disk_of(io)->full = full;
}

void simdisk_trace(struct pfs_io *io, bool on)
{
    disk_of(io)->trace = on;
}

uint64_t simdisk_calls(struct pfs_io *io)
{
    return disk_of(io)->calls;
}
