/* A disk with a gate before its syncs, for tests of what goes on while one is under way; and one on
 * which some files can't be made. */
#ifndef PFS_TESTS_LIB_GATEIO_H
#define PFS_TESTS_LIB_GATEIO_H

#include "base/io.h"

/* All calls go to `inner`, which is borrowed and must outlive it. The gate is open. */
struct pfs_io *gateio_create(struct pfs_io *inner);

/* Syncs that come from now on wait at the gate; or let them all pass. Threads: any. */
void gateio_shut(struct pfs_io *io, bool shut);

/* Wait until n syncs stand at the gate. */
void gateio_await(struct pfs_io *io, unsigned n);

/* From now on making a file whose name has `part` in it fails with err; NULL: none does. */
void gateio_refuse(struct pfs_io *io, const char *part, int err);

#endif
