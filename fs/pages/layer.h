/* Delta layers: immutable, sorted, compressed, checksummed files of versions.
 * The format's essay is in layer_format.h. Source: the sorted-string tables of LevelDB and the
 * delta layers of Neon. */
#ifndef PFS_PAGES_LAYER_H
#define PFS_PAGES_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io.h"
#include "fs/pages/block_cache.h"
#include "fs/pages/version.h"

/* What the manifest says of a layer; the file's footer says the same and must agree. */
struct pfs_layer_info {
    uint8_t uuid[16]; /* of the volume */
    uint32_t branch;  /* id of the branch whose journal it was made from */
    pfs_lsn lsn_from; /* every version v has lsn_from < v.lsn <= lsn_to */
    pfs_lsn lsn_to;
    uint64_t entries;   /* versions in it */
    uint64_t raw_bytes; /* of keys and values before compression */
    uint64_t size_bytes;
    uint64_t checksum; /* of the footer, which holds those of index and filter */
};

/* --- writing ------------------------------------------------------------------------------ */

struct pfs_layer_writer;

/* Start a layer in the new file `name`. uuid, branch, lsn_from and lsn_to are taken from info.
 * Errors: PFS_EEXIST, PFS_ENOSPC, PFS_EIO, PFS_ENOMEM. Threads: one a writer. */
int pfs_layer_writer_create(struct pfs_io *io, const char *name, const struct pfs_layer_info *info,
                            struct pfs_layer_writer **out) PFS_MUST_USE;

/* Add the next version; asserts their order (key ascending, LSN descending, no duplicates).
 * Ownership: copies. Errors: PFS_ENOSPC, PFS_EIO, PFS_ENOMEM, after which the layer is good for
 * nothing; PFS_EINVAL (longer than PFS_LAYER_VALUE_MAX; nothing was added). */
int pfs_layer_writer_add(struct pfs_layer_writer *w, const struct pfs_version *v) PFS_MUST_USE;

/* Write index, filter and footer, and sync the file (not its directory). *info_out is complete. */
int pfs_layer_writer_finish(struct pfs_layer_writer *w,
                            struct pfs_layer_info *info_out) PFS_MUST_USE;

/* Free the writer, finished or not. An unfinished file is left for the caller to unlink. */
void pfs_layer_writer_destroy(struct pfs_layer_writer *w);

/* --- reading ------------------------------------------------------------------------------ */

struct pfs_layer;

/* Open a layer: footer, index and filter are read, verified and kept; `expect` (all of its fields)
 * must agree with the footer, or NULL. Blocks go through the cache, which is shared and borrowed.
 * Errors: PFS_ENOENT, PFS_ECORRUPT (names file and offset), PFS_EVERSION, PFS_EIO, PFS_ENOMEM.
 * Threads: a layer may be read by any number at once. */
int pfs_layer_open(struct pfs_io *io, const char *name, const struct pfs_layer_info *expect,
                   struct pfs_block_cache *cache, struct pfs_layer **out) PFS_MUST_USE;
void pfs_layer_close(struct pfs_layer *layer);

/* What the footer says, and the name it was opened by; both live as long as the layer. */
const struct pfs_layer_info *pfs_layer_info(const struct pfs_layer *layer);
const char *pfs_layer_name(const struct pfs_layer *layer);

/* False if no version of the key is in the layer; true if there may be one (a Bloom filter, about
 * 1 % wrong). The low two bits of b count as zero for dentries and xattrs, since names are looked
 * up in groups of four slots. */
bool pfs_layer_may_have(const struct pfs_layer *layer, const struct pfs_key *key);

/* Memory held by index and filter, bytes. */
size_t pfs_layer_memory(const struct pfs_layer *layer);

/* A position in a layer. Plain struct, no allocation; it pins one block of the cache. */
struct pfs_layer_cursor {
    struct pfs_layer *layer;
    struct pfs_block *block; /* pinned, or NULL */
    uint32_t block_no;
    uint32_t offset;       /* of the entry after `at` in the block */
    bool valid;            /* `at` is a version; else past the end */
    struct pfs_version at; /* at.data is borrowed until the cursor moves or is released */
};

/* Stands nowhere until it is sent somewhere. It belongs to one thread and must be released before
 * the layer is closed. */
void pfs_layer_cursor_init(struct pfs_layer_cursor *cur, struct pfs_layer *layer);
/* To the first version at or after (key, lsn). Errors: PFS_ECORRUPT, PFS_EIO, PFS_ENOMEM. */
int pfs_layer_cursor_seek(struct pfs_layer_cursor *cur, const struct pfs_key *key,
                          pfs_lsn lsn) PFS_MUST_USE;
/* To the next version. The cursor must be valid. Errors as for seek. */
int pfs_layer_cursor_next(struct pfs_layer_cursor *cur) PFS_MUST_USE;
void pfs_layer_cursor_release(struct pfs_layer_cursor *cur);

/* Read and check everything: each block's checksum, order, counts, LSN range, filter. Bypasses the
 * cache. Reports each damage through cb (offset in the file, text) and goes on where it can;
 * returns 0 if there was none, PFS_ECORRUPT if any, or another error. */
typedef void pfs_layer_damage_cb(void *ctx, uint64_t offset, const char *text);
int pfs_layer_verify(struct pfs_layer *layer, pfs_layer_damage_cb *cb, void *ctx) PFS_MUST_USE;

#endif
