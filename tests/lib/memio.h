/* A disk in memory for tests: struct pfs_io over a list of names. It keeps no order of what is
 * durable (tests/sim does); it counts its calls and can fail any of them. Threads: any, but the
 * functions below are for a test that has no other thread at work. */
#ifndef PFS_TESTS_LIB_MEMIO_H
#define PFS_TESTS_LIB_MEMIO_H

#include "base/io.h"

/* An empty disk; destroyed by its ops->destroy, which asserts that every file was closed. */
struct pfs_io *memio_create(void);

/* Make or replace a file. */
void memio_put(struct pfs_io *io, const char *name, const void *data, size_t len);

/* The bytes of a file, to read and to damage; good until its size changes. NULL: no such file. */
unsigned char *memio_bytes(struct pfs_io *io, const char *name, size_t *len_out);

/* Shorten a file, or lengthen it with zeros. */
void memio_resize(struct pfs_io *io, const char *name, size_t len);

/* The nth call from now that can fail does so with err, and if lasting, all after it; 0 for never.
 * A write that fails does half of its work. */
void memio_fail_at(struct pfs_io *io, unsigned nth, int err, bool lasting);

/* Has that failure been met? */
bool memio_failed(struct pfs_io *io);

#endif
