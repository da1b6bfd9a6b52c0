/* mkfs and power cuts: afterwards there is a whole volume or none, that is, no file `volume`. And
 * when it has returned, there is one. SEEDS (default 1500), SEED_BASE. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/pages/volume.h"
#include "fs/tree/tree.h"
#include "tests/sim/rng.h"
#include "tests/sim/simdisk.h"

static char failure[600];

static void open_whole(struct pfs_io *io, const uint8_t uuid[16])
{
    struct pfs_store_config config = {
        .io = io, .dir = "branches/1", .branch_id = 1, .page_size = 8192};
    struct pfs_tree_config tree_config = {.branch_id = 1};
    struct pfs_tree *tree;

    memcpy(config.uuid, uuid, sizeof(config.uuid));
    if (pfs_store_open(&config, &tree_config.store)) {
        snprintf(failure, sizeof(failure), "a volume that can't be opened: %s", pfs_err_message());
        return;
    }
    if (pfs_tree_open(&tree_config, &tree))
        snprintf(failure, sizeof(failure), "a volume without a tree: %s", pfs_err_message());
    else
        pfs_tree_close(tree);
    if (pfs_store_close(tree_config.store))
        snprintf(failure, sizeof(failure), "a volume that can't be closed: %s", pfs_err_message());
}

static void run(uint64_t seed)
{
    const uint8_t uuid[16] = {1, 2, 3};
    struct pfs_io *io = simdisk_create(seed, SIMDISK_HONEST);
    struct rng rng = rng_make(seed);
    struct pfs_file *file;
    int err, there;

    simdisk_cut_at(io, 1 + (unsigned)rng_below(&rng, 30));
    err = pfs_volume_format(io, 8192, uuid, 1, 1);
    if (err && !simdisk_is_off(io))
        snprintf(failure, sizeof(failure), "it can't be made: %s", pfs_err_message());
    simdisk_power_off(io);
    simdisk_power_on(io, SIMDISK_POWER);
    there = io->ops->open(io, "volume", PFS_IO_RDONLY, &file) == 0;
    if (there)
        io->ops->close(file);
    if (!err && !there)
        snprintf(failure, sizeof(failure), "the volume was made and isn't there");
    if (there)
        open_whole(io, uuid);
    io->ops->destroy(io);
}

int main(void)
{
    const char *base = getenv("SEED_BASE"), *count = getenv("SEEDS");
    uint64_t seed = base ? strtoull(base, NULL, 10) : 1;
    uint64_t seeds = count ? strtoull(count, NULL, 10) : 1500;

    pfs_log_set_level((enum pfs_log_level) - 1);
    for (uint64_t i = 0; i < seeds && !failure[0]; i++)
        run(seed++);
    if (failure[0])
        printf("# seed %" PRIu64 ": %s\n", seed - 1, failure);
    printf("%sok 1 - a volume is made wholly or not at all\n1..1\n", failure[0] ? "not " : "");
    return failure[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}
