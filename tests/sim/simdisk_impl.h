/* The inside of simdisk.c (calls and faults), simdisk_names.c (names, power) and simdisk_node.c
 * (bytes), simdisk_control.c (what a simulation does to it). */
#ifndef PFS_TESTS_SIM_SIMDISK_IMPL_H
#define PFS_TESTS_SIM_SIMDISK_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "tests/sim/rng.h"
#include "tests/sim/simdisk.h"

#define SIM_PAGE    4096
#define SIM_SECTOR  512
#define SIM_SECTORS (SIM_PAGE / SIM_SECTOR)

/* What programs see is `now`. A sector with a bit in `dirty` or `doomed` has other bytes on the
 * disk, those in `disk`. A dirty one gets durable with the next sync; a doomed one never does: its
 * sync failed. Pages that don't exist are zeros. */
struct sim_page {
    unsigned char *now, *disk;
    uint8_t dirty, doomed;
};

/* A file or directory; lives while a name, a pending change of names or an open file refers to
 * it. */
struct sim_node {
    unsigned refs;
    bool dir;
    uint64_t size, disk_size;
    struct sim_page *pages;
    size_t n_pages;
};

struct sim_node *sim_node_create(bool dir);
void sim_node_put(struct sim_node *node);

void sim_node_read(const struct sim_node *node, void *buf, size_t len, uint64_t off);
/* Also makes it longer. An overwritten sector may have reached the disk just before. */
void sim_node_write(struct sim_node *node, struct rng *rng, const void *buf, size_t len,
                    uint64_t off);
void sim_node_extend(struct sim_node *node, uint64_t size);

/* What is dirty becomes durable, but for one sector if `skip`. */
void sim_node_sync(struct sim_node *node, struct rng *rng, bool with_size, bool skip);
/* A sync that failed. */
void sim_node_fail_sync(struct sim_node *node, struct rng *rng);
/* Power goes: a dirty sector is kept with a probability of keep / 16. */
void sim_node_cut(struct sim_node *node, struct rng *rng, unsigned keep);
/* Zero a sector that isn't dirty, if there is one. */
void sim_node_tear(struct sim_node *node, struct rng *rng);

/* A name, as programs see it and as the disk has it. Entries stay for ever: there are few names. */
struct sim_entry {
    struct sim_entry *next;
    struct sim_node *now, *disk; /* NULL: no such file */
    char name[];
};

/* A change of names that the disk doesn't have yet. */
struct sim_change {
    struct sim_change *next;
    struct sim_node *node;  /* what `to` (or `from`, of a mere removal) is about */
    struct sim_entry *from; /* loses its file; NULL when one is made */
    struct sim_entry *to;   /* gets it; NULL when one is removed */
};

struct simdisk {
    struct pfs_io base;
    pthread_mutex_t mu; /* guards all below, and every node */
    struct rng rng;
    enum simdisk_plant plant;
    struct sim_entry *entries;
    struct sim_change *changes, **last_change; /* in the order they were made */
    unsigned one_in[SIMDISK_FAULTS];
    bool full, off, trace;
    unsigned cut_in;
    unsigned opens;
    uint64_t calls;
};

struct sim_entry *sim_entry_of(struct simdisk *d, const char *name);
/* Does `name` stand in directory dir itself ("." for the top)? Returns its last part, or NULL. */
const char *sim_name_in(const char *dir, const char *name);
/* Programs see it; the disk will, perhaps. */
void sim_change(struct simdisk *d, struct sim_node *node, struct sim_entry *from,
                struct sim_entry *to);
/* The disk gets what was changed in dir. */
void sim_carry_out(struct simdisk *d, const char *dir);
void sim_set(struct sim_node **at, struct sim_node *node);
void sim_cut_power(struct simdisk *d);
void sim_forget_names(struct simdisk *d); /* and all nodes with them */

void *sim_need(void *p); /* aborts for NULL */

#endif
