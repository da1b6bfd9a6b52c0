/* A store's statistics as JSON: what `pagefs status --json` says of a branch, mounted or not. */
#ifndef PFS_PAGES_STATS_JSON_H
#define PFS_PAGES_STATS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "fs/pages/store.h"

/* All of pfs_store_stats(); LSNs twice, as text ("head") and as a number ("head_bytes").
 * Ownership: the caller's, to json_decref(). */
json_t *pfs_store_stats_json(struct pfs_store *store);

/* One number into an object. */
void pfs_json_set_uint(json_t *object, const char *name, uint64_t value);

#endif
