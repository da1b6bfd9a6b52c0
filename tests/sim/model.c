#include "tests/sim/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/sim/simclock.h"
#include "tests/sim/simdisk_impl.h"

const char *mtree_name(int name)
{
    static char longest[256];
    static const char *const names[MODEL_NAMES - 1] = {
        "a",
        "b",
        "c",
        "PG_VERSION",
        "16384",
        "16384_fsm",
        "pg_wal",
        "000000010000000000000001",
        "name with blanks",
        "\xc3\xa4\xe2\x82\xac",
        ".hidden",
        "x\ny",
        "~",
    };

    if (name < MODEL_NAMES - 1)
        return names[name];
    if (!longest[0])
        memset(longest, 'L', 255);
    return longest;
}

const char *mtree_xattr(unsigned name)
{
    static const char *const names[] = {"", "user.one", "user.two", "user.three", "trusted.four"};

    return names[name];
}

void mtree_xattr_fill(const struct mxattr *x, unsigned char *out)
{
    for (unsigned i = 0; i < x->len; i++)
        out[i] = (unsigned char)(x->fill + i * 7);
}

/* --- sharing ---------------------------------------------------------------------------------- */

static void page_put(struct mpage *page)
{
    if (page && --page->refs == 0)
        free(page);
}

static void node_put(struct mnode *node)
{
    if (!node || --node->refs > 0)
        return;
    for (int i = 0; i < 2 * MODEL_PAGES; i++)
        page_put(node->pages[i]);
    free(node);
}

struct mstate *mtree_create(void)
{
    struct mstate *s = sim_need(calloc(1, sizeof(*s)));

    s->refs = 1;
    s->nodes[0] = sim_need(calloc(1, sizeof(struct mnode)));
    s->nodes[0]->refs = 1;
    s->nodes[0]->ino = 1;
    s->nodes[0]->mode = S_IFDIR | 0755;
    s->nodes[0]->mtime_ns = simclock_now();
    return s;
}

struct mstate *mtree_copy(const struct mstate *state)
{
    struct mstate *s = sim_need(malloc(sizeof(*s)));

    *s = *state;
    s->refs = 1;
    s->number++;
    for (int i = 0; i < MODEL_NODES; i++)
        if (s->nodes[i])
            s->nodes[i]->refs++;
    return s;
}

void mtree_put(struct mstate *s)
{
    if (--s->refs > 0)
        return;
    for (int i = 0; i < MODEL_NODES; i++)
        node_put(s->nodes[i]);
    free(s);
}

struct mnode *mtree_edit(struct mstate *s, int node)
{
    struct mnode *n = s->nodes[node];

    if (n->refs > 1) {
        struct mnode *copy = sim_need(malloc(sizeof(*copy)));

        *copy = *n;
        copy->refs = 1;
        for (int i = 0; i < 2 * MODEL_PAGES; i++)
            if (copy->pages[i])
                copy->pages[i]->refs++;
        n->refs--;
        s->nodes[node] = n = copy;
    }
    n->changed = s->number;
    return n;
}

int mtree_new_node(struct mstate *s, uint32_t mode)
{
    for (int i = 1; i < MODEL_NODES; i++)
        if (!s->nodes[i]) {
            s->nodes[i] = sim_need(calloc(1, sizeof(struct mnode)));
            s->nodes[i]->refs = 1;
            s->nodes[i]->mode = mode;
            s->nodes[i]->mtime_ns = simclock_now();
            s->nodes[i]->changed = s->number;
            return i;
        }
    return -1;
}

void mtree_drop_node(struct mstate *s, int node)
{
    node_put(s->nodes[node]);
    s->nodes[node] = NULL;
}

/* --- names ------------------------------------------------------------------------------------ */

int mtree_find(const struct mstate *s, int parent, int name)
{
    for (int i = 0; i < s->n_entries; i++)
        if (s->entries[i].parent == parent && s->entries[i].name == name)
            return i;
    return -1;
}

void mtree_add_entry(struct mstate *s, int parent, int name, int child)
{
    assert(s->n_entries < MODEL_ENTRIES);
    s->entries[s->n_entries++] = (struct mentry){parent, name, child};
    if (S_ISDIR(s->nodes[child]->mode))
        mtree_edit(s, child)->parent = parent;
}

void mtree_remove_entry(struct mstate *s, int entry)
{
    s->entries[entry] = s->entries[--s->n_entries];
}

int mtree_children(const struct mstate *s, int dir)
{
    int n = 0;

    for (int i = 0; i < s->n_entries; i++)
        n += s->entries[i].parent == dir;
    return n;
}

int mtree_links(const struct mstate *s, int node)
{
    bool dir = S_ISDIR(s->nodes[node]->mode);
    int n = 0, named = node == 0;

    for (int i = 0; i < s->n_entries; i++) {
        named += s->entries[i].child == node;
        n += dir && s->entries[i].parent == node && S_ISDIR(s->nodes[s->entries[i].child]->mode);
    }
    return !dir ? named : named ? n + 2 : 0;
}

bool mtree_is_above(const struct mstate *s, int node, int dir)
{
    while (dir != node && dir != 0)
        dir = s->nodes[dir]->parent;
    return dir == node;
}

void mtree_drop_orphans(struct mstate *s)
{
    for (int i = 1; i < MODEL_NODES; i++)
        if (s->nodes[i] && mtree_links(s, i) == 0)
            mtree_drop_node(s, i);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Where a page stands, or -1: nowhere, always zeros. */
static int page_at(uint64_t off)
{
    if (off < MODEL_STRETCH)
        return (int)(off / MODEL_PAGE);
    if (off >= MODEL_FAR && off < MODEL_FAR + MODEL_STRETCH)
        return MODEL_PAGES + (int)((off - MODEL_FAR) / MODEL_PAGE);
    return -1;
}

static unsigned char *edit_page(struct mnode *node, int i)
{
    struct mpage *old = node->pages[i], *page = old;

    if (!old || old->refs > 1) {
        page = sim_need(old ? malloc(sizeof(*page)) : calloc(1, sizeof(*page)));
        if (old) {
            *page = *old;
            old->refs--;
        }
        page->refs = 1;
        node->pages[i] = page;
    }
    return page->bytes;
}

void mtree_write(struct mnode *node, const unsigned char *buf, size_t len, uint64_t off)
{
    if (off + len > node->size)
        node->size = off + len;
    while (len > 0) {
        size_t in_page = off % MODEL_PAGE, part = MODEL_PAGE - in_page;
        int i = page_at(off);

        assert(i >= 0);
        part = part < len ? part : len;
        memcpy(edit_page(node, i) + in_page, buf, part);
        buf += part;
        off += part;
        len -= part;
    }
}

/* [from, to) of what stands at page i, whose first byte is at off. */
static void zero_in_page(struct mnode *node, int i, uint64_t off, uint64_t from, uint64_t to)
{
    if (!node->pages[i] || to <= off || from >= off + MODEL_PAGE)
        return;
    from = from > off ? from - off : 0;
    to = to < off + MODEL_PAGE ? to - off : MODEL_PAGE;
    if (from == 0 && to == MODEL_PAGE) {
        page_put(node->pages[i]);
        node->pages[i] = NULL;
    } else {
        memset(edit_page(node, i) + from, 0, to - from);
    }
}

void mtree_zero(struct mnode *node, uint64_t from, uint64_t to)
{
    for (int i = 0; i < MODEL_PAGES; i++) {
        zero_in_page(node, i, (uint64_t)i * MODEL_PAGE, from, to);
        zero_in_page(node, MODEL_PAGES + i, MODEL_FAR + (uint64_t)i * MODEL_PAGE, from, to);
    }
}

void mtree_resize(struct mnode *node, uint64_t size)
{
    if (size < node->size)
        mtree_zero(node, size, UINT64_MAX);
    node->size = size;
}

void mtree_read(const struct mnode *node, unsigned char *buf, size_t len, uint64_t off)
{
    while (len > 0) {
        size_t in_page = off % MODEL_PAGE, part = MODEL_PAGE - in_page;
        int i = page_at(off);

        part = part < len ? part : len;
        if (i >= 0 && node->pages[i])
            memcpy(buf, node->pages[i]->bytes + in_page, part);
        else
            memset(buf, 0, part);
        buf += part;
        off += part;
        len -= part;
    }
}
