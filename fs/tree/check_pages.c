/* Pages: each one that a living file shows is read, deltas and all, so that its every byte has been
 * verified; and past the end of a file there is nothing, or extending it would bring it up. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "fs/tree/check.h"

/* The file whose pages are being passed. */
struct owner {
    uint64_t ino;    /* 0: none yet */
    bool alive;      /* else its pages wait for garbage collection */
    bool complained; /* of pages where none belong */
    struct pfs_ivalue v;
};

struct pages {
    struct check *c;
    struct owner owner;
    struct pfs_buf value;
    unsigned char *page;
    struct pfs_key last; /* passed last: where to go on behind damage */
};

static int enter_owner(struct pages *p, uint64_t ino)
{
    struct pfs_key key = pfs_key(PFS_KEY_INODE, ino, 0);
    struct owner *o = &p->owner;
    pfs_lsn lsn;
    int err;

    pfs_ivalue_release(&o->v);
    *o = (struct owner){.ino = ino, .alive = check_find(p->c, ino) != NULL};
    if (!o->alive)
        return 0;
    err = pfs_store_get(p->c->store, &key, p->c->lsn, &p->value, &lsn);
    if (!err)
        err = pfs_ivalue_decode(p->value.data, p->value.len, lsn, &o->v);
    if (err) /* the pass over inodes has said so */
        o->alive = false;
    return check_judge(p->c, err, "inode %" PRIu64, ino);
}

/* Of a page that was read: bytes from `valid` on must be zeros. */
static void check_end(struct pages *p, uint64_t block, uint64_t start, uint64_t valid)
{
    uint32_t page_size = pfs_store_page_size(p->c->store);
    uint64_t from = valid <= start ? 0 : pfs_min64(valid - start, page_size);

    if (!pfs_all_zero(p->page + from, page_size - from))
        check_fault(
            p->c, "inode %" PRIu64 ": page %" PRIu64 " holds data past the file's end at %" PRIu64,
            p->owner.ino, block, p->owner.v.size);
}

static int check_page(struct pages *p, uint64_t block)
{
    uint32_t page_size = pfs_store_page_size(p->c->store);
    const struct pfs_ivalue *v = &p->owner.v;
    struct pfs_page_version version;
    uint64_t start, cut;
    int err;

    if (!S_ISREG(v->mode) || block >= PFS_FILE_MAX / page_size) {
        if (!p->owner.complained)
            check_fault(p->c, "inode %" PRIu64 ": has a page %" PRIu64 ", but no place for it",
                        p->owner.ino, block);
        p->owner.complained = true;
        return 0;
    }
    err = pfs_store_read_page(p->c->store, p->owner.ino, block, p->c->lsn, p->page, &version);
    if (err)
        return check_judge(p->c, err, "a page can't be read");
    start = block * page_size;
    cut = pfs_marks_cut(v->marks, v->n_marks, version.lsn);
    if (cut > start)
        p->c->stats->pages++;
    if (cut == UINT64_MAX) /* else a mark hides what is past it, and no mark is past the end */
        check_end(p, block, start, v->size);
    return 0;
}

/* Pages from `from` on, until the end (PFS_ENOENT) or an error. */
static int pass(struct pages *p, const struct pfs_key *from)
{
    struct pfs_key to = pfs_key(PFS_KEY_PAGE, UINT64_MAX, UINT64_MAX);
    struct pfs_version v;
    struct pfs_scan *scan;
    int err = pfs_scan_begin(p->c->store, from, &to, p->c->lsn, &scan);

    if (err)
        return err;
    while ((err = pfs_scan_next(scan, &v)) == 0) {
        p->last = v.key;
        check_step(p->c);
        if (v.key.a != p->owner.ino)
            err = enter_owner(p, v.key.a);
        if (!err && p->owner.alive)
            err = check_page(p, v.key.b);
        if (err)
            break;
    }
    pfs_scan_end(scan);
    return err;
}

/* The first inode past ino; 0 if there is none. */
static uint64_t next_inode(const struct check *c, uint64_t ino)
{
    for (size_t i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].ino > ino)
            return c->nodes[i].ino;
    return 0;
}

int check_pages(struct check *c)
{
    struct pages p = {.c = c, .last = pfs_key(PFS_KEY_PAGE, 0, 0)};
    struct pfs_key from = p.last;
    int err;

    pfs_buf_init(&p.value, PFS_RECORD_MAX);
    p.page = malloc(pfs_store_page_size(c->store));
    err = p.page ? 0 : pfs_fail(PFS_ENOMEM, "out of memory");
    while (!err) {
        err = pass(&p, &from);
        if (err == PFS_ENOENT) {
            err = 0;
            break;
        }
        /* Damage: what is behind it in the same file can't be found, but the next files' can. */
        err = check_judge(c, err, "pages behind page %" PRIu64 " of inode %" PRIu64, p.last.b,
                          p.last.a);
        from = p.last = pfs_key(PFS_KEY_PAGE, next_inode(c, p.last.a), 0);
        if (from.a == 0)
            break;
    }
    pfs_ivalue_release(&p.owner.v);
    pfs_buf_release(&p.value);
    free(p.page);
    return err;
}
