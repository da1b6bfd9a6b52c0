/* Versions in a sorted array: what a layer must agree with. */
#ifndef PFS_TESTS_LIB_LAYER_MODEL_H
#define PFS_TESTS_LIB_LAYER_MODEL_H

#include "fs/pages/layer.h"

/* The next number of a generator (SplitMix64); any state will do. */
uint64_t model_random(uint64_t *state);

struct model {
    struct pfs_version *v; /* sorted; the data of each is its own allocation */
    size_t count;
};

/* The volume, branch and LSN range of every model: LSNs 1001 to 2000. */
struct pfs_layer_info model_info(void);

/* About `count` versions of keys of all types: several versions of one key, names of one group,
 * values of 0 to max_len bytes, half of them hard to pack. The same for the same seed. */
struct model model_create(uint64_t seed, size_t count, uint32_t max_len);
void model_release(struct model *m);

/* Put in one more, which must belong at the end. The data is made up. */
void model_add(struct model *m, struct pfs_key key, pfs_lsn lsn, uint8_t kind, uint32_t len,
               bool packs);

/* Index of the first version at or after (key, lsn); count if none. */
size_t model_seek(const struct model *m, const struct pfs_key *key, pfs_lsn lsn);

/* Write it all as a layer. Errors: the writer's; the file is then unlinked. */
int model_write(const struct model *m, struct pfs_io *io, const char *name,
                struct pfs_layer_info *info_out) PFS_MUST_USE;

/* Read the layer from its first version to its last: the model must say the same. *wrong_out counts
 * versions that differ, are missing or too many; reading ends at an error, which is returned. */
int model_compare(const struct model *m, struct pfs_layer *layer, size_t *wrong_out) PFS_MUST_USE;

bool model_same(const struct pfs_version *x, const struct pfs_version *y);

#endif
