/* Any bytes as a branch's manifest. One that is accepted is written again and reads the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/manifest.h"
#include "tests/fuzz/mend_sealed.h"
#include "tests/lib/memio.c" /* fuzz targets are linked with the library alone */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct pfs_manifest *x, const struct pfs_manifest *y)
{
    assert(memcmp(x->uuid, y->uuid, 16) == 0 && x->branch_id == y->branch_id);
    assert(x->flushed == y->flushed && x->flushed_prev == y->flushed_prev);
    assert(x->durable == y->durable && x->next_ino == y->next_ino);
    assert(x->next_layer == y->next_layer && x->n_layers == y->n_layers);
    for (unsigned i = 0; i < x->n_layers; i++) {
        assert(x->layers[i].number == y->layers[i].number);
        assert(x->layers[i].info.lsn_to == y->layers[i].info.lsn_to);
        assert(x->layers[i].info.checksum == y->layers[i].info.checksum);
        assert(x->layers[i].info.lsn_from < x->layers[i].info.lsn_to);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pfs_io *io = memio_create();
    struct pfs_manifest m, again;
    size_t len;
    char *text = mend_sealed("pagefs-manifest", data, size, &len);

    memio_put(io, "b/manifest", text, len);
    free(text);
    if (!pfs_manifest_read(io, "b", &m)) {
        assert(pfs_manifest_write(io, "b", &m) == 0);
        assert(pfs_manifest_read(io, "b", &again) == 0);
        same(&m, &again);
        pfs_manifest_release(&m);
        pfs_manifest_release(&again);
    } else {
        assert(pfs_err_message()[0]);
    }
    io->ops->destroy(io);
    return 0;
}
