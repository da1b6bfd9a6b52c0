/* What inodes said against what was counted: links, entries, attributes, and the way of each
 * directory up to the root. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fs/tree/check.h"

static void judge_links(struct check *c, const struct check_node *node)
{
    bool dir = node->type == S_IFDIR >> 12;

    if (node->entries_left != 0)
        check_fault(c, "inode %" PRIu64 ": the directory's count of entries is %" PRId64 " too %s",
                    node->ino, node->entries_left < 0 ? -node->entries_left : node->entries_left,
                    node->entries_left < 0 ? "low" : "high");
    if (node->orphan) {
        if (node->nlink != 0)
            check_fault(c, "inode %" PRIu64 ": the next mount would remove it, but it has %u links",
                        node->ino, (unsigned)node->nlink);
        else if (dir ? node->named || node->links != 2 : node->links != 0)
            check_fault(c, "inode %" PRIu64 ": unlinked, but an entry names it or it has entries",
                        node->ino);
        return;
    }
    if (dir ? !node->named && node->ino != PFS_ROOT_INO : node->links == 0)
        check_fault(c, "inode %" PRIu64 ": no entry names it (link count %u)", node->ino,
                    (unsigned)node->nlink);
    else if (node->nlink != node->links)
        check_fault(c, "inode %" PRIu64 ": link count %u, should be %u", node->ino,
                    (unsigned)node->nlink, (unsigned)node->links);
}

static void judge_xattrs(struct check *c, const struct check_node *node)
{
    if (node->xattrs_left != 0)
        check_fault(c, "inode %" PRIu64 ": its count of extended attributes is %d too %s",
                    node->ino, abs(node->xattrs_left), node->xattrs_left < 0 ? "low" : "high");
}

/* Where does the way up from a directory end? Only directories with a name have one. */
static enum check_way walk_up(struct check *c, struct check_node *node)
{
    while (node && node->way == CHECK_WAY_UNKNOWN && node->named) {
        node->way = CHECK_WAY_WALKED;
        node = check_find(c, node->parent);
    }
    if (node && node->way == CHECK_WAY_WALKED) {
        check_fault(c, "inode %" PRIu64 ": the directory is its own ancestor", node->ino);
        return CHECK_WAY_ASTRAY;
    }
    return node && node->way == CHECK_WAY_ROOT ? CHECK_WAY_ROOT : CHECK_WAY_ASTRAY;
}

static void judge_way(struct check *c, struct check_node *node)
{
    enum check_way way;

    if (node->type != S_IFDIR >> 12 || node->way != CHECK_WAY_UNKNOWN || !node->named)
        return;
    way = walk_up(c, node);
    while (node && node->way == CHECK_WAY_WALKED) {
        node->way = (uint8_t)way;
        node = check_find(c, node->parent);
    }
}

void check_links(struct check *c)
{
    struct check_node *root = check_find(c, PFS_ROOT_INO);

    if (!root || root->type != S_IFDIR >> 12) {
        check_fault(c, "inode %" PRIu64 ": there is no root directory", PFS_ROOT_INO);
    } else {
        root->way = CHECK_WAY_ROOT;
        if (root->parent != PFS_ROOT_INO)
            check_fault(c, "inode %" PRIu64 ": the root's parent is inode %" PRIu64, PFS_ROOT_INO,
                        root->parent);
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        struct check_node *node = &c->nodes[i];

        if (c->xattrs_known)
            judge_xattrs(c, node);
        if (c->names_known) {
            judge_links(c, node);
            judge_way(c, node);
        }
    }
}
