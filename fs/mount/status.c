#include "fs/mount/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/mount/version.h"
#include "fs/mount/wire.h"
#include "fs/pages/stats_json.h"

static json_t *tree_json(struct pfs_tree *tree)
{
    struct pfs_tree_stats s;
    json_t *j = json_object();

    pfs_tree_stats(tree, &s);
    pfs_json_set_uint(j, "cached_inodes", s.cached_inodes);
    pfs_json_set_uint(j, "open_handles", s.open_handles);
    pfs_json_set_uint(j, "next_ino", s.next_ino);
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
        pfs_json_set_uint(j, "id", ref->id);
        json_object_set_new(j, "store", pfs_store_stats_json(pfs_tree_store(tree)));
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
            pfs_json_set_uint(j, "rss_bytes", kib * 1024);
        else if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            pfs_json_set_uint(j, "peak_rss_bytes", kib * 1024);
    }
    if (f)
        fclose(f);
    return j;
}

static void add_count(void *ctx, const char *name, uint64_t count)
{
    pfs_json_set_uint(ctx, name, count);
}

json_t *pfs_status_json(struct pfs_mount *m)
{
    json_t *j = json_object(), *requests = json_object();
    char host[256] = "", options[1024];

    gethostname(host, sizeof(host) - 1);
    pfs_mount_options_print(m->opt, options, sizeof(options));
    json_object_set_new(j, "version", json_string(PFS_VERSION));
    pfs_json_set_uint(j, "pid", (uint64_t)getpid());
    json_object_set_new(j, "host", json_string(host));
    json_object_set_new(j, "volume", json_string(m->opt->volume));
    json_object_set_new(j, "uuid", json_string(pfs_volume_info(m->volume)->uuid_text));
    json_object_set_new(j, "mountpoint", json_string(m->opt->mountpoint));
    json_object_set_new(j, "options", json_string(options));
    pfs_json_set_uint(j, "page_size", m->page_size);
    pfs_json_set_uint(j, "started_s", m->started_wall_ns / PFS_NS_PER_S);
    pfs_json_set_uint(j, "uptime_s", (pfs_mono_ns() - m->started_mono_ns) / PFS_NS_PER_S);
    json_object_set_new(j, "memory", memory_json());
    pfs_wire_counts(add_count, requests);
    json_object_set_new(j, "requests", requests);
    json_object_set_new(j, "branches", branches_json(m));
    return j;
}
