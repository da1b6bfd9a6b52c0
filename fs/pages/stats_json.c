#include "fs/pages/stats_json.h"

#include <stdio.h>

#include "wal/lsn.h"

void pfs_json_set_uint(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* "head": "0/16B3748", "head_bytes": 23803720 */
static void set_lsn(json_t *object, const char *name, pfs_lsn lsn)
{
    char number_name[64];

    snprintf(number_name, sizeof(number_name), "%s_bytes", name);
    json_object_set_new(object, name, json_string(pfs_lsn_print(lsn).s));
    pfs_json_set_uint(object, number_name, lsn);
}

json_t *pfs_store_stats_json(struct pfs_store *store)
{
    struct pfs_store_stats s;
    json_t *j = json_object();

    pfs_store_stats(store, &s);
    set_lsn(j, "head", s.head);
    set_lsn(j, "durable", s.durable);
    set_lsn(j, "flushed", s.flushed);
    set_lsn(j, "journal_start", s.journal_start);
    pfs_json_set_uint(j, "journal_bytes", s.journal_bytes);
    pfs_json_set_uint(j, "layers", s.layers);
    pfs_json_set_uint(j, "layer_bytes", s.layer_bytes);
    pfs_json_set_uint(j, "layer_raw_bytes", s.layer_raw_bytes);
    pfs_json_set_uint(j, "memtables", s.memtables);
    pfs_json_set_uint(j, "memtable_bytes", s.memtable_bytes);
    pfs_json_set_uint(j, "memtable_versions", s.memtable_versions);
    pfs_json_set_uint(j, "commits", s.commits);
    pfs_json_set_uint(j, "payload_bytes", s.payload_bytes);
    pfs_json_set_uint(j, "syncs", s.syncs);
    pfs_json_set_uint(j, "syncs_shared", s.syncs_shared);
    pfs_json_set_uint(j, "flushes", s.flushes);
    pfs_json_set_uint(j, "stalls", s.stalls);
    pfs_json_set_uint(j, "cache_hits", s.cache_hits);
    pfs_json_set_uint(j, "cache_misses", s.cache_misses);
    pfs_json_set_uint(j, "cache_bytes", s.cache_bytes);
    pfs_json_set_uint(j, "next_ino", s.next_ino);
    pfs_json_set_uint(j, "recovered_records", s.recovered_records);
    pfs_json_set_uint(j, "recovery_ms", s.recovery_ms);
    pfs_json_set_uint(j, "disk_free", s.disk_free);
    pfs_json_set_uint(j, "disk_total", s.disk_total);
    json_object_set_new(j, "poisoned", json_boolean(s.poisoned));
    return j;
}
