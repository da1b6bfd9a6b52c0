#include "fs/pages/view.h"

#include <stdlib.h>

static struct pfs_source *source(struct pfs_memtable *mt, struct pfs_layer *layer)
{
    struct pfs_source *s = calloc(1, sizeof(*s));

    if (s) {
        s->refs = 1;
        s->mt = mt;
        s->layer = layer;
    }
    return s;
}

struct pfs_source *pfs_source_memtable(struct pfs_memtable *mt)
{
    return source(mt, NULL);
}

struct pfs_source *pfs_source_layer(struct pfs_layer *layer)
{
    return source(NULL, layer);
}

void pfs_source_put(struct pfs_source *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    if (s->mt)
        pfs_memtable_destroy(s->mt);
    if (s->layer)
        pfs_layer_close(s->layer);
    free(s);
}

struct pfs_view *pfs_view_create(struct pfs_source *const *memtables, unsigned n_memtables,
                                 struct pfs_source *const *layers, unsigned n_layers)
{
    unsigned n = n_memtables + n_layers;
    struct pfs_view *view = calloc(1, sizeof(*view) + n * sizeof(struct pfs_source *));

    if (!view)
        return NULL;
    view->refs = 1;
    view->n_memtables = n_memtables;
    view->n_sources = n;
    for (unsigned i = 0; i < n; i++) {
        view->sources[i] = i < n_memtables ? memtables[i] : layers[i - n_memtables];
        atomic_fetch_add(&view->sources[i]->refs, 1);
    }
    return view;
}

void pfs_view_put(struct pfs_view *view)
{
    if (atomic_fetch_sub(&view->refs, 1) > 1)
        return;
    for (unsigned i = 0; i < view->n_sources; i++)
        pfs_source_put(view->sources[i]);
    free(view);
}
