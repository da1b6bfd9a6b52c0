#include "fs/mount/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/mount/version.h"
#include "fs/mount/wire.h"
#include "wal/lsn.h"

static void set_number(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* "head": "0/16B3748", "head_bytes": 23803720 */
static void set_lsn(json_t *object, const char *name, pfs_lsn lsn)
{
    char number_name[64];

    snprintf(number_name, sizeof(number_name), "%s_bytes", name);
    json_object_set_new(object, name, json_string(pfs_lsn_print(lsn).s));
    set_number(object, number_name, lsn);
}

static json_t *store_json(struct pfs_store *store)
{
    struct pfs_store_stats s;
    json_t *j = json_object();

    pfs_store_stats(store, &s);
    set_lsn(j, "head", s.head);
    set_lsn(j, "durable", s.durable);
    set_lsn(j, "flushed", s.flushed);
    set_lsn(j, "journal_start", s.journal_start);
    set_number(j, "journal_bytes", s.journal_bytes);
    set_number(j, "layers", s.layers);
    set_number(j, "layer_bytes", s.layer_bytes);
    set_number(j, "layer_raw_bytes", s.layer_raw_bytes);
    set_number(j, "memtables", s.memtables);
    set_number(j, "memtable_bytes", s.memtable_bytes);
    set_number(j, "memtable_versions", s.memtable_versions);
    set_number(j, "commits", s.commits);
    set_number(j, "payload_bytes", s.payload_bytes);
    set_number(j, "syncs", s.syncs);
    set_number(j, "syncs_shared", s.syncs_shared);
    set_number(j, "flushes", s.flushes);
    set_number(j, "stalls", s.stalls);
    set_number(j, "cache_hits", s.cache_hits);
    set_number(j, "cache_misses", s.cache_misses);
    set_number(j, "cache_bytes", s.cache_bytes);
    set_number(j, "next_ino", s.next_ino);
    set_number(j, "recovered_records", s.recovered_records);
    set_number(j, "recovery_ms", s.recovery_ms);
    set_number(j, "disk_free", s.disk_free);
    set_number(j, "disk_total", s.disk_total);
    json_object_set_new(j, "poisoned", json_boolean(s.poisoned));
    return j;
}

static json_t *tree_json(struct pfs_tree *tree)
{
    struct pfs_tree_stats s;
    json_t *j = json_object();

    pfs_tree_stats(tree, &s);
    set_number(j, "cached_inodes", s.cached_inodes);
    set_number(j, "open_handles", s.open_handles);
    set_number(j, "next_ino", s.next_ino);
    return j;
}

static json_t *branches_json(struct pfs_mount *m)
{
    json_t *list = json_array(), *j;
    const struct pfs_branch_ref *ref;
    struct pfs_tree *tree;

    for (unsigned i = 0; i < m->branches.n; i++) {
        ref = m->branches.all[i].ref;
        tree = pfs_branches_peek(&m->branches, ref->id);
        if (!tree)
            continue;
        j = json_object();
        json_object_set_new(j, "name", json_string(ref->name));
        set_number(j, "id", ref->id);
        json_object_set_new(j, "store", store_json(pfs_tree_store(tree)));
        json_object_set_new(j, "tree", tree_json(tree));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *memory_json(void)
{
    json_t *j = json_object();
    unsigned long long kib;
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmRSS: %llu", &kib) == 1)
            set_number(j, "rss_bytes", kib * 1024);
        else if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            set_number(j, "peak_rss_bytes", kib * 1024);
    }
    if (f)
        fclose(f);
    return j;
}

static void add_count(void *ctx, const char *name, uint64_t count)
{
    set_number(ctx, name, count);
}

json_t *pfs_status_json(struct pfs_mount *m)
{
    json_t *j = json_object(), *requests = json_object();
    char host[256] = "", options[1024];

    gethostname(host, sizeof(host) - 1);
    pfs_mount_options_print(m->opt, options, sizeof(options));
    json_object_set_new(j, "version", json_string(PFS_VERSION));
    set_number(j, "pid", (uint64_t)getpid());
    json_object_set_new(j, "host", json_string(host));
    json_object_set_new(j, "volume", json_string(m->opt->volume));
    json_object_set_new(j, "uuid", json_string(pfs_volume_info(m->volume)->uuid_text));
    json_object_set_new(j, "mountpoint", json_string(m->opt->mountpoint));
    json_object_set_new(j, "options", json_string(options));
    set_number(j, "page_size", m->page_size);
    set_number(j, "started_s", m->started_wall_ns / PFS_NS_PER_S);
    set_number(j, "uptime_s", (pfs_mono_ns() - m->started_mono_ns) / PFS_NS_PER_S);
    json_object_set_new(j, "memory", memory_json());
    pfs_wire_counts(add_count, requests);
    json_object_set_new(j, "requests", requests);
    json_object_set_new(j, "branches", branches_json(m));
    return j;
}
