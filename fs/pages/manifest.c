#include "fs/pages/manifest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fs/pages/sealed.h"
#include "wal/segment.h"

#define MAGIC "pagefs-manifest"

void pfs_manifest_layer_name(char name[256], const char *dir, uint64_t number)
{
    snprintf(name, 256, "%s/layers/%016" PRIx64 ".delta", dir, number);
}

static json_t *layer_to_json(const struct pfs_manifest_layer *l)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "number", pfs_json_hex64(l->number),
                     "from", pfs_json_hex64(l->info.lsn_from), "to", pfs_json_hex64(l->info.lsn_to),
                     "entries", (json_int_t)l->info.entries, "raw_bytes",
                     (json_int_t)l->info.raw_bytes, "size_bytes", (json_int_t)l->info.size_bytes,
                     "checksum", pfs_json_hex64(l->info.checksum));
}

int pfs_manifest_write(struct pfs_io *io, const char *dir, const struct pfs_manifest *m)
{
    json_t *layers = json_array();
    json_t *doc;
    char name[256];
    int err;

    for (unsigned i = 0; i < m->n_layers; i++)
        if (json_array_append_new(layers, layer_to_json(&m->layers[i]))) {
            json_decref(layers);
            return pfs_fail(PFS_ENOMEM, "%s/manifest: out of memory", dir);
        }
    doc = json_pack(
        "{s:o, s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:o}", "uuid_high",
        pfs_json_hex64(pfs_get64(m->uuid)), "uuid_low", pfs_json_hex64(pfs_get64(m->uuid + 8)),
        "branch", (json_int_t)m->branch_id, "flushed", pfs_json_hex64(m->flushed), "flushed_prev",
        pfs_json_hex64(m->flushed_prev), "durable", pfs_json_hex64(m->durable), "next_ino",
        (json_int_t)m->next_ino, "next_layer", (json_int_t)m->next_layer, "layers", layers);
    if (!doc)
        return pfs_fail(PFS_ENOMEM, "%s/manifest: out of memory", dir);
    snprintf(name, sizeof(name), "%s/manifest", dir);
    err = pfs_sealed_write(io, dir, name, MAGIC, PFS_MANIFEST_VERSION, doc);
    json_decref(doc);
    return err;
}

static int layer_from_json(const struct pfs_manifest *m, const json_t *doc,
                           struct pfs_manifest_layer *l)
{
    int err;

    memset(l, 0, sizeof(*l));
    memcpy(l->info.uuid, m->uuid, 16);
    l->info.branch = m->branch_id;
    if ((err = pfs_json_get_hex64(doc, "number", &l->number)) ||
        (err = pfs_json_get_hex64(doc, "from", &l->info.lsn_from)) ||
        (err = pfs_json_get_hex64(doc, "to", &l->info.lsn_to)) ||
        (err = pfs_json_get_uint(doc, "entries", &l->info.entries)) ||
        (err = pfs_json_get_uint(doc, "raw_bytes", &l->info.raw_bytes)) ||
        (err = pfs_json_get_uint(doc, "size_bytes", &l->info.size_bytes)) ||
        (err = pfs_json_get_hex64(doc, "checksum", &l->info.checksum)))
        return err;
    if (l->info.lsn_from >= l->info.lsn_to)
        return pfs_fail(PFS_ECORRUPT, "a layer's LSN range is empty");
    return 0;
}

static int header_from_json(struct pfs_manifest *m, const json_t *doc)
{
    uint64_t high, low, branch;
    int err;

    if ((err = pfs_json_get_hex64(doc, "uuid_high", &high)) ||
        (err = pfs_json_get_hex64(doc, "uuid_low", &low)) ||
        (err = pfs_json_get_uint(doc, "branch", &branch)) ||
        (err = pfs_json_get_hex64(doc, "flushed", &m->flushed)) ||
        (err = pfs_json_get_hex64(doc, "flushed_prev", &m->flushed_prev)) ||
        (err = pfs_json_get_hex64(doc, "durable", &m->durable)) ||
        (err = pfs_json_get_uint(doc, "next_ino", &m->next_ino)) ||
        (err = pfs_json_get_uint(doc, "next_layer", &m->next_layer)))
        return err;
    pfs_put64(m->uuid, high);
    pfs_put64(m->uuid + 8, low);
    m->branch_id = (uint32_t)branch;
    return 0;
}

/* Every layer ever made is there, from the journal's first byte to where it was flushed. */
static int check_cover(const struct pfs_manifest *m)
{
    pfs_lsn at = PFS_LSN_FIRST;

    for (unsigned i = 0; i < m->n_layers; i++) {
        if (m->layers[i].info.lsn_from != at)
            return pfs_fail(PFS_ECORRUPT, "no layer begins at LSN %s", pfs_lsn_print(at).s);
        at = m->layers[i].info.lsn_to;
    }
    if (at != m->flushed)
        return pfs_fail(PFS_ECORRUPT, "the layers end at LSN %s, not where it was flushed",
                        pfs_lsn_print(at).s);
    return m->flushed <= m->durable
               ? 0
               : pfs_fail(PFS_ECORRUPT, "it was flushed further than it was durable");
}

int pfs_manifest_read(struct pfs_io *io, const char *dir, struct pfs_manifest *m)
{
    const json_t *layers;
    char name[256];
    json_t *doc;
    int err;

    memset(m, 0, sizeof(*m));
    snprintf(name, sizeof(name), "%s/manifest", dir);
    err = pfs_sealed_read(io, name, MAGIC, PFS_MANIFEST_VERSION, &doc);
    if (err)
        return err;
    err = header_from_json(m, doc);
    layers = json_object_get(doc, "layers");
    if (!err && !json_is_array(layers))
        err = pfs_fail(PFS_ECORRUPT, "'layers' is missing");
    for (size_t i = 0; !err && i < json_array_size(layers); i++) {
        struct pfs_manifest_layer l;

        err = layer_from_json(m, json_array_get(layers, i), &l);
        if (!err)
            err = pfs_manifest_add(m, l.number, &l.info);
    }
    if (!err)
        err = check_cover(m);
    json_decref(doc);
    if (err) {
        pfs_manifest_release(m);
        return pfs_context(err, "%s", name);
    }
    return 0;
}

int pfs_manifest_add(struct pfs_manifest *m, uint64_t number, const struct pfs_layer_info *info)
{
    struct pfs_manifest_layer *grown;

    grown = realloc(m->layers, (m->n_layers + 1) * sizeof(*grown));
    if (!grown)
        return pfs_fail(PFS_ENOMEM, "out of memory");
    m->layers = grown;
    m->layers[m->n_layers++] = (struct pfs_manifest_layer){.number = number, .info = *info};
    return 0;
}

void pfs_manifest_release(struct pfs_manifest *m)
{
    free(m->layers);
    m->layers = NULL;
    m->n_layers = 0;
}
