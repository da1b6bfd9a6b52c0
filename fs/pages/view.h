/* A view: the sources of versions at one moment, newest first: the active memtable, frozen ones,
 * layers. Views never change; freezing and flushing put a new one in the place of the old, and the
 * last reader of a view lets go of what only it still held. Private to fs/pages. */
#ifndef PFS_PAGES_VIEW_H
#define PFS_PAGES_VIEW_H

#include <stdatomic.h>

#include "base/err.h"
#include "fs/pages/layer.h"
#include "fs/pages/memtable.h"

/* A memtable or layer that several views may hold. */
struct pfs_source {
    atomic_uint refs;
    struct pfs_memtable *mt; /* one of the two */
    struct pfs_layer *layer;
};

struct pfs_view {
    atomic_uint refs;
    unsigned n_memtables; /* sources[0 .. n_memtables) are memtables, the rest layers */
    unsigned n_sources;
    struct pfs_source *sources[];
};

/* Takes over the memtable or layer. NULL if out of memory (then it doesn't). */
struct pfs_source *pfs_source_memtable(struct pfs_memtable *mt);
struct pfs_source *pfs_source_layer(struct pfs_layer *layer);
void pfs_source_put(struct pfs_source *source);

/* A view of these sources (references are taken), itself with one reference; NULL if out of
 * memory. */
struct pfs_view *pfs_view_create(struct pfs_source *const *memtables, unsigned n_memtables,
                                 struct pfs_source *const *layers, unsigned n_layers);
void pfs_view_put(struct pfs_view *view);

#endif
