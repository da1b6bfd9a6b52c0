#include <stdlib.h>
#include <string.h>

#include "tests/sim/simdisk_impl.h"

struct sim_entry *sim_entry_of(struct simdisk *d, const char *name)
{
    struct sim_entry *e = d->entries;

    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    if (!e) {
        e = sim_need(calloc(1, sizeof(*e) + strlen(name) + 1));
        strcpy(e->name, name);
        e->next = d->entries;
        d->entries = e;
    }
    return e;
}

/* Does `name` stand in directory dir itself ("." for the top)? Returns its last part, or NULL. */
const char *sim_name_in(const char *dir, const char *name)
{
    size_t len = strcmp(dir, ".") == 0 ? 0 : strlen(dir);

    if (strncmp(name, dir, len) != 0 || (len > 0 && name[len] != '/'))
        return NULL;
    name += len > 0 ? len + 1 : 0;
    return strchr(name, '/') ? NULL : name;
}

void sim_set(struct sim_node **at, struct sim_node *node)
{
    if (node)
        node->refs++;
    if (*at)
        sim_node_put(*at);
    *at = node;
}

/* Programs see the change; the disk will, perhaps. */
void sim_change(struct simdisk *d, struct sim_node *node, struct sim_entry *from,
                struct sim_entry *to)
{
    struct sim_change *c = sim_need(calloc(1, sizeof(*c)));

    *c = (struct sim_change){.node = node, .from = from, .to = to};
    node->refs++;
    *d->last_change = c;
    d->last_change = &c->next;
    if (to)
        sim_set(&to->now, node);
    if (from)
        sim_set(&from->now, NULL);
}

static void carry_out(struct simdisk *d, const struct sim_change *c)
{
    bool loses = c->from && c->to && d->plant == SIMDISK_RENAME_LOSES && rng_one_in(&d->rng, 4);

    if (c->to && !loses)
        sim_set(&c->to->disk, c->node);
    if (c->from)
        sim_set(&c->from->disk, NULL);
}

static void drop(struct simdisk *d, struct sim_change **at)
{
    struct sim_change *c = *at;

    *at = c->next;
    if (d->last_change == &c->next)
        d->last_change = at;
    sim_node_put(c->node);
    free(c);
}

/* The disk gets what was changed in dir. */
void sim_carry_out(struct simdisk *d, const char *dir)
{
    for (struct sim_change **at = &d->changes; *at;) {
        if (sim_name_in(dir, ((*at)->to ? (*at)->to : (*at)->from)->name)) {
            carry_out(d, *at);
            drop(d, at);
        } else {
            at = &(*at)->next;
        }
    }
}

/* Some of the changes reach the disk: none without those before it that share a name. */
static void cut_names(struct simdisk *d)
{
    unsigned keep = (unsigned)rng_below(&d->rng, 17);
    struct sim_entry **missed = NULL;
    size_t n = 0;

    while (d->changes) {
        struct sim_change *c = d->changes;
        bool happens = rng_below(&d->rng, 16) < keep;

        for (size_t i = 0; i < n; i++)
            if (missed[i] == c->from || missed[i] == c->to)
                happens = false;
        if (happens) {
            carry_out(d, c);
        } else {
            missed = sim_need(realloc(missed, (n + 2) * sizeof(struct sim_entry *)));
            if (c->from)
                missed[n++] = c->from;
            if (c->to)
                missed[n++] = c->to;
        }
        drop(d, &d->changes);
    }
    free(missed);
}

/* What stood in a directory that isn't there any more isn't either. */
static bool has_parent(struct simdisk *d, const struct sim_entry *e)
{
    const char *slash = strrchr(e->name, '/');

    if (!slash)
        return true;
    for (struct sim_entry *p = d->entries; p; p = p->next)
        if (strlen(p->name) == (size_t)(slash - e->name) &&
            strncmp(p->name, e->name, (size_t)(slash - e->name)) == 0)
            return p->disk && has_parent(d, p);
    return false;
}

void sim_cut_power(struct simdisk *d)
{
    static const unsigned odds[] = {0, 1, 8, 15, 16};

    cut_names(d);
    for (struct sim_entry *e = d->entries; e; e = e->next)
        sim_set(&e->now, NULL);
    for (struct sim_entry *e = d->entries; e; e = e->next) {
        if (!e->disk || !has_parent(d, e))
            continue;
        sim_set(&e->now, e->disk);
        sim_node_cut(e->now, &d->rng, odds[rng_below(&d->rng, 5)]);
        if (d->plant == SIMDISK_TEARS_SYNCED && rng_one_in(&d->rng, 4))
            sim_node_tear(e->now, &d->rng);
    }
    for (struct sim_entry *e = d->entries; e; e = e->next)
        sim_set(&e->disk, e->now);
}

void sim_forget_names(struct simdisk *d)
{
    while (d->changes)
        drop(d, &d->changes);
    for (struct sim_entry *e = d->entries, *next; e; e = next) {
        next = e->next;
        sim_set(&e->now, NULL);
        sim_set(&e->disk, NULL);
        free(e);
    }
}
