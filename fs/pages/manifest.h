/* The manifest of a branch: the only authority on which layers it consists of and from where its
 * journal must be replayed. What it doesn't name is garbage. */
#ifndef PFS_PAGES_MANIFEST_H
#define PFS_PAGES_MANIFEST_H

#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "fs/pages/layer.h"
#include "wal/lsn.h"

#define PFS_MANIFEST_VERSION 1

struct pfs_manifest_layer {
    uint64_t number; /* the file is layers/NUMBER.delta; never reused in a branch */
    struct pfs_layer_info info;
};

struct pfs_manifest {
    uint8_t uuid[16];
    uint32_t branch_id;
    pfs_lsn flushed;       /* all records that end at or below are in layers */
    uint64_t flushed_prev; /* checksum of the last of them */
    pfs_lsn durable;       /* the journal is known to reach at least here */
    uint64_t next_ino;
    uint64_t next_layer;
    unsigned n_layers; /* ascending LSN ranges without gaps */
    struct pfs_manifest_layer *layers;
};

/* Read DIR/manifest. Errors: PFS_ENOENT, PFS_ECORRUPT, PFS_EVERSION. Write it: durable on return.
 * Ownership: m is released with pfs_manifest_release(). */
int pfs_manifest_read(struct pfs_io *io, const char *dir, struct pfs_manifest *m) PFS_MUST_USE;
int pfs_manifest_write(struct pfs_io *io, const char *dir,
                       const struct pfs_manifest *m) PFS_MUST_USE;
/* Add a layer behind the others. */
int pfs_manifest_add(struct pfs_manifest *m, uint64_t number,
                     const struct pfs_layer_info *info) PFS_MUST_USE;
void pfs_manifest_release(struct pfs_manifest *m);

/* "DIR/layers/000000000000000a.delta" */
void pfs_manifest_layer_name(char name[256], const char *dir, uint64_t number);

#endif
