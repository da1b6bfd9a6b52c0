#include "fs/mount/branches.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocking.h"
#include "base/log.h"

int pfs_branches_init(struct pfs_branches *b, struct pfs_volume *volume,
                      const struct pfs_mount_options *opt)
{
    const struct pfs_volume_info *info = pfs_volume_info(volume);

    *b = (struct pfs_branches){.volume = volume, .opt = opt, .n = info->n_branches};
    for (unsigned i = 0; i < b->n; i++)
        if (info->branches[i].id > b->max_id)
            b->max_id = info->branches[i].id;
    b->all = calloc(b->n ? b->n : 1, sizeof(*b->all));
    b->by_id = calloc((size_t)b->max_id + 1, sizeof(*b->by_id));
    if (!b->all || !b->by_id) {
        free(b->all);
        free(b->by_id);
        return pfs_fail(PFS_ENOMEM, "out of memory for a table of %u branches", b->n);
    }
    for (unsigned i = 0; i < b->n; i++) {
        b->all[i].ref = &info->branches[i];
        b->by_id[info->branches[i].id] = i + 1;
    }
    pthread_mutex_init(&b->mu, NULL);
    return 0;
}

static struct pfs_mount_branch *find(struct pfs_branches *b, uint32_t id)
{
    return id <= b->max_id && b->by_id[id] ? &b->all[b->by_id[id] - 1] : NULL;
}

struct pfs_tree *pfs_branches_peek(struct pfs_branches *b, uint32_t id)
{
    struct pfs_mount_branch *branch = find(b, id);

    return branch ? atomic_load_explicit(&branch->tree, memory_order_acquire) : NULL;
}

struct pfs_store *pfs_branches_store(struct pfs_branches *b, uint32_t id)
{
    struct pfs_tree *tree = pfs_branches_peek(b, id);

    return tree ? pfs_tree_store(tree) : NULL;
}

/* Holds mu. */
static int open_branch(struct pfs_branches *b, struct pfs_mount_branch *branch)
{
    struct pfs_store_config store_config;
    struct pfs_tree_config tree_config;
    struct pfs_tree *tree;
    char dir[64];
    int err;

    assert(!branch->store);
    pfs_blocking();
    pfs_volume_store_config(b->volume, branch->ref, &store_config, dir);
    store_config.readonly = b->opt->readonly;
    store_config.background = !b->opt->readonly;
    store_config.memtable_bytes = b->opt->memtable_bytes;
    store_config.cache_bytes = b->opt->block_cache_bytes;
    store_config.flush_journal_bytes = b->opt->flush_journal_bytes;
    err = pfs_store_open(&store_config, &branch->store);
    if (err) {
        branch->store = NULL;
        return pfs_context(err, "branch %s", branch->ref->name);
    }
    tree_config = (struct pfs_tree_config){
        .store = branch->store,
        .branch_id = branch->ref->id,
        .name_seed = pfs_volume_info(b->volume)->name_seed,
        .atime = b->opt->readonly ? PFS_ATIME_NOATIME : b->opt->atime,
    };
    err = pfs_tree_open(&tree_config, &tree);
    if (err) {
        pfs_context(err, "branch %s", branch->ref->name);
        pfs_store_abandon(branch->store);
        branch->store = NULL;
        return err;
    }
    atomic_store_explicit(&branch->tree, tree, memory_order_release);
    return 0;
}

int pfs_branches_tree(struct pfs_branches *b, uint32_t id, struct pfs_tree **out)
{
    struct pfs_mount_branch *branch = find(b, id);
    int err = 0;

    if (!branch)
        return pfs_fail(PFS_ENOENT, "the volume has no branch with number %u", id);
    *out = atomic_load_explicit(&branch->tree, memory_order_acquire);
    if (*out)
        return 0;
    pfs_mutex_lock(&b->mu);
    if (!atomic_load_explicit(&branch->tree, memory_order_relaxed))
        err = open_branch(b, branch);
    if (!err)
        *out = atomic_load_explicit(&branch->tree, memory_order_relaxed);
    pthread_mutex_unlock(&b->mu);
    return err;
}

int pfs_branches_release(struct pfs_branches *b)
{
    struct pfs_mount_branch *branch;
    struct pfs_tree *tree;
    int err = 0, close_err;

    for (unsigned i = 0; i < b->n; i++) {
        branch = &b->all[i];
        tree = atomic_load_explicit(&branch->tree, memory_order_acquire);
        if (!tree)
            continue;
        pfs_tree_close(tree);
        close_err = pfs_store_close(branch->store);
        if (close_err)
            pfs_log_error("mount",
                          "branch %s: the last sync failed, what was written after the last good "
                          "one may be lost: %s",
                          branch->ref->name, pfs_err_message());
        if (!err)
            err = close_err;
    }
    pthread_mutex_destroy(&b->mu);
    free(b->all);
    free(b->by_id);
    return err;
}
