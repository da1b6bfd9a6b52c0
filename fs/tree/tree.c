#include "fs/tree/tree.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/tree/inode.h"

#define RECENT_BYTES ((size_t)16 << 20)

static int make_root(struct pfs_tree *tree)
{
    uint64_t now = pfs_wall_ns();
    struct pfs_ivalue v = {.mode = S_IFDIR | 0755,
                           .nlink = 2,
                           .uid = geteuid(),
                           .gid = getegid(),
                           .parent = PFS_ROOT_INO,
                           .atime_ns = now,
                           .mtime_ns = now,
                           .ctime_ns = now,
                           .btime_ns = now};
    unsigned char bytes[PFS_IVALUE_MAX];
    struct pfs_entry entry = {.key = pfs_key(PFS_KEY_INODE, PFS_ROOT_INO, 0),
                              .kind = PFS_KIND_VALUE,
                              .len = pfs_ivalue_encode(&v, bytes),
                              .data = bytes};
    pfs_lsn lsn;
    int err = pfs_store_commit(tree->store, PFS_OP_FORMAT, &entry, 1, &lsn);

    return err ? err : pfs_store_sync(tree->store, lsn);
}

/* The root stays in memory as long as the tree. */
static int hold_root(struct pfs_tree *tree)
{
    struct pfs_inode *root;
    int err = pfs_inode_get(tree, PFS_ROOT_INO, &root);

    if (err == PFS_ENOENT && tree->readonly)
        return pfs_fail(PFS_ENOENT, "the branch is still empty: mount it writable once");
    if (err == PFS_ENOENT) {
        err = make_root(tree);
        if (!err)
            err = pfs_inode_get(tree, PFS_ROOT_INO, &root);
    }
    return err;
}

/* Files that were unlinked but open when the last mount ended. */
static int reap_orphans(struct pfs_tree *tree)
{
    struct pfs_key from = pfs_key(PFS_KEY_ORPHAN, 0, 0);
    struct pfs_key to = pfs_key(PFS_KEY_ORPHAN, UINT64_MAX, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    unsigned n = 0;
    int err = pfs_scan_begin(tree->store, &from, &to, PFS_LSN_MAX, &scan);

    if (err)
        return err;
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        struct pfs_entry entries[2] = {
            {.key = v.key, .kind = PFS_KIND_DELETE},
            {.key = pfs_key(PFS_KEY_INODE, v.key.a, 0), .kind = PFS_KIND_DELETE},
        };
        pfs_lsn lsn;

        err = pfs_store_commit(tree->store, PFS_OP_REAP, entries, 2, &lsn);
        if (err)
            break;
        n++;
    }
    pfs_scan_end(scan);
    if (n)
        pfs_log_info("tree", "removed %u files that were unlinked but still open", n);
    return err == PFS_ENOENT ? 0 : err;
}

int pfs_tree_open(const struct pfs_tree_config *config, struct pfs_tree **out)
{
    struct pfs_tree *tree = calloc(1, sizeof(*tree));
    int err;

    if (!tree)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    tree->config = *config;
    tree->store = config->store;
    tree->page_size = pfs_store_page_size(config->store);
    tree->readonly = pfs_store_readonly(config->store);
    pthread_mutex_init(&tree->names_mu, NULL);
    for (unsigned i = 0; i < PFS_ICACHE_STRIPES; i++)
        pthread_mutex_init(&tree->stripes[i], NULL);
    err = pfs_recent_create(RECENT_BYTES, tree->page_size, &tree->recent);
    if (!err)
        err = hold_root(tree);
    if (!err && !tree->readonly)
        err = reap_orphans(tree);
    if (err) {
        pfs_tree_close(tree);
        return err;
    }
    *out = tree;
    return 0;
}

void pfs_tree_close(struct pfs_tree *tree)
{
    if (pfs_inode_write_all(tree))
        pfs_log_warn("tree", "file times of the last second are lost: %s", pfs_err_message());
    pfs_inode_drop_all(tree);
    if (tree->recent)
        pfs_recent_destroy(tree->recent);
    pthread_mutex_destroy(&tree->names_mu);
    for (unsigned i = 0; i < PFS_ICACHE_STRIPES; i++)
        pthread_mutex_destroy(&tree->stripes[i]);
    free(tree);
}

struct pfs_store *pfs_tree_store(struct pfs_tree *tree)
{
    return tree->store;
}

void pfs_tree_stats(struct pfs_tree *tree, struct pfs_tree_stats *out)
{
    struct pfs_store_stats store;

    pfs_store_stats(tree->store, &store);
    out->cached_inodes = tree->n_inodes;
    out->open_handles = tree->n_handles;
    out->next_ino = store.next_ino;
}
