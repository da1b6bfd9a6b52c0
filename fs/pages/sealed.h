/* Sealed documents: small JSON files that a person can read and a flipped bit can't fool.
 *
 *   <magic> <version> <length of body> <XXH3-64 of body, 16 hex digits>\n
 *   <body: JSON, then \n>
 *
 * Replaced whole and atomically. The volume file and the manifests are such. */
#ifndef PFS_PAGES_SEALED_H
#define PFS_PAGES_SEALED_H

#include <jansson.h>

#include "base/err.h"
#include "base/io.h"

#define PFS_SEALED_MAX ((size_t)64 << 20)

/* Write doc (borrowed) durably to `name` in `dir` (both below io). */
int pfs_sealed_write(struct pfs_io *io, const char *dir, const char *name, const char *magic,
                     unsigned version, const json_t *doc) PFS_MUST_USE;

/* Errors: PFS_ENOENT; PFS_ECORRUPT names the file and what is wrong; PFS_EVERSION when it is newer
 * than `version`. Ownership: *doc_out is the caller's, to json_decref(). */
int pfs_sealed_read(struct pfs_io *io, const char *name, const char *magic, unsigned version,
                    json_t **doc_out) PFS_MUST_USE;

/* 64-bit numbers that JSON's signed integers can't hold are strings of 16 hex digits. */
json_t *pfs_json_hex64(uint64_t value);
/* Errors: PFS_ECORRUPT naming the key. */
int pfs_json_get_hex64(const json_t *doc, const char *key, uint64_t *out) PFS_MUST_USE;
int pfs_json_get_uint(const json_t *doc, const char *key, uint64_t *out) PFS_MUST_USE;

#endif
