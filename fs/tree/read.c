/* Reading files: bytes, and where there are any. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/blocking.h"
#include "base/bytes.h"
#include "fs/tree/pageio.h"

/* One page's part of a read; whole pages go straight into the caller's buffer. */
static int read_part(struct pfs_tree *tree, const struct pfs_extent_view *view, uint64_t off,
                     size_t len, unsigned char *buf, unsigned char **bounce)
{
    struct pfs_page_version version;
    uint32_t page_size = tree->page_size, cut;
    size_t in_page = off % page_size;
    int err;

    if (len == page_size)
        return pfs_pageio_read(tree, view, off / page_size, buf, &version, &cut);
    if (!*bounce) {
        *bounce = malloc(page_size);
        if (!*bounce)
            return pfs_fail(PFS_ENOMEM, "out of memory");
    }
    err = pfs_pageio_read(tree, view, off / page_size, *bounce, &version, &cut);
    if (!err)
        memcpy(buf, *bounce + in_page, len);
    return err;
}

static int read_view(struct pfs_tree *tree, const struct pfs_extent_view *view, uint64_t off,
                     size_t len, unsigned char *buf)
{
    unsigned char *bounce = NULL;
    int err = 0;

    while (len > 0 && !err) {
        size_t part = (size_t)pfs_min64(len, tree->page_size - off % tree->page_size);

        err = read_part(tree, view, off, part, buf, &bounce);
        off += part;
        buf += part;
        len -= part;
    }
    free(bounce);
    return err;
}

int pfs_file_read(struct pfs_tree *tree, struct pfs_handle *handle, void *buf, size_t size,
                  uint64_t off, size_t *len_out)
{
    struct pfs_extent_view view;
    int err = 0;

    pfs_extent_view(tree, handle->inode, &view);
    *len_out = 0;
    if (size > PFS_IO_MAX)
        return PFS_EINVAL;
    if (off < view.size) {
        size = (size_t)pfs_min64(size, view.size - off);
        err = read_view(tree, &view, off, size, buf);
        if (!err)
            *len_out = size;
    }
    if (!err && size > 0)
        pfs_inode_accessed(tree, handle->inode);
    return err;
}

/* The first block at or after `block` that holds data; UINT64_MAX if none does. */
static int next_present(struct pfs_tree *tree, const struct pfs_extent_view *view,
                        struct pfs_scan *scan, uint64_t *block)
{
    struct pfs_version v;
    int err;

    while ((err = pfs_scan_next(scan, &v)) == 0) {
        uint64_t cut = pfs_marks_cut(view->marks, view->n_marks, v.lsn);

        if (cut > v.key.b * tree->page_size) {
            *block = v.key.b;
            return 0;
        }
    }
    *block = UINT64_MAX;
    return err == PFS_ENOENT ? 0 : err;
}

static int seek_data(struct pfs_tree *tree, const struct pfs_extent_view *view,
                     struct pfs_scan *scan, uint64_t off, uint64_t *off_out)
{
    uint64_t block;
    int err = next_present(tree, view, scan, &block);

    if (err)
        return err;
    if (block == UINT64_MAX)
        return PFS_ENXIO;
    *off_out = pfs_max64(off, block * tree->page_size);
    return *off_out < view->size ? 0 : PFS_ENXIO;
}

static int seek_hole(struct pfs_tree *tree, const struct pfs_extent_view *view,
                     struct pfs_scan *scan, uint64_t off, uint64_t *off_out)
{
    uint64_t expect = off / tree->page_size, block;

    for (;; expect++) {
        int err = next_present(tree, view, scan, &block);

        if (err)
            return err;
        if (block != expect)
            break;
    }
    *off_out = pfs_min64(view->size, pfs_max64(off, expect * tree->page_size));
    return 0;
}

int pfs_file_seek(struct pfs_tree *tree, struct pfs_handle *handle, uint64_t off, int whence,
                  uint64_t *off_out)
{
    struct pfs_extent_view view;
    struct pfs_key from, to;
    struct pfs_scan *scan;
    int err;

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return PFS_EINVAL;
    pfs_extent_view(tree, handle->inode, &view);
    if (off >= view.size)
        return PFS_ENXIO;
    from = pfs_key(PFS_KEY_PAGE, view.ino, off / tree->page_size);
    to = pfs_key(PFS_KEY_PAGE, view.ino, (view.size - 1) / tree->page_size);
    err = pfs_scan_begin(tree->store, &from, &to, view.lsn, &scan);
    if (err)
        return err;
    if (whence == SEEK_DATA)
        err = seek_data(tree, &view, scan, off, off_out);
    else
        err = seek_hole(tree, &view, scan, off, off_out);
    pfs_scan_end(scan);
    return err;
}
