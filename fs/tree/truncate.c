#include "fs/tree/truncate.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "fs/tree/pageio.h"

/* Too many marks: write out what the oldest one hides below the next one's size, then it can go. */
static int retire_oldest(struct pfs_tree *tree, struct pfs_inode *inode, struct pfs_mark *marks,
                         unsigned n)
{
    uint64_t from = marks[0].size;
    uint64_t to = pfs_min64(marks[1].size, inode->v.size);
    int err = 0;

    if (from < to)
        err = pfs_pageio_zero_older(tree, inode, from, to, marks[0].lsn);
    memmove(marks, marks + 1, (n - 1) * sizeof(*marks));
    return err;
}

int pfs_truncate_change(struct pfs_tree *tree, struct pfs_change *c, uint64_t size)
{
    struct pfs_mark *marks;
    unsigned n;
    int err = 0;

    if (size >= c->v.size) {
        c->v.size = size;
        return 0;
    }
    marks = malloc((c->v.n_marks + 1) * sizeof(*marks));
    if (!marks)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    n = pfs_marks_push(c->v.marks, c->v.n_marks, size, marks);
    if (n > PFS_MARKS_MAX) {
        err = retire_oldest(tree, c->inode, marks, n);
        n--;
    }
    if (err) {
        free(marks);
        return err;
    }
    c->v.marks = marks;
    c->v.n_marks = n;
    c->own_marks = true;
    c->v.size = size;
    c->v.pages = pfs_min64(c->v.pages, pfs_pages_of(tree, size));
    return 0;
}

int pfs_truncate(struct pfs_tree *tree, struct pfs_inode *inode, uint64_t size)
{
    struct pfs_change c;
    struct pfs_entry entry;
    pfs_lsn lsn;
    int err;

    pfs_change_begin(&c, inode);
    err = pfs_truncate_change(tree, &c, size);
    if (err)
        return err;
    c.v.mtime_ns = c.v.ctime_ns = pfs_wall_ns();
    entry = pfs_change_entry(&c);
    err = pfs_store_commit(tree->store, PFS_OP_TRUNCATE, &entry, 1, &lsn);
    if (err) {
        pfs_change_drop(&c);
        return err;
    }
    pfs_change_apply(&c, lsn);
    inode->epoch = ++tree->next_epoch;
    return 0;
}
