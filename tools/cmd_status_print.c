/* The status of a volume for people. What the JSON doesn't have is left out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cmd.h"
#include "tools/cmd_status.h"

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));

    return n > 0 ? (uint64_t)n : 0;
}

static const char *string(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s ? s : "?";
}

static bool has(const json_t *object, const char *name)
{
    return json_object_get(object, name) != NULL;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* "3 days 4 h", "12 min 5 s". */
static struct cmd_text duration(uint64_t s)
{
    struct cmd_text text;

    if (s >= 86400)
        snprintf(text.s, sizeof(text.s), "%" PRIu64 " day%s %" PRIu64 " h", s / 86400,
                 plural(s / 86400), s / 3600 % 24);
    else if (s >= 3600)
        snprintf(text.s, sizeof(text.s), "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text.s, sizeof(text.s), "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else
        snprintf(text.s, sizeof(text.s), "%" PRIu64 " s", s);
    return text;
}

static void print_mount(const json_t *j)
{
    const json_t *memory = json_object_get(j, "memory");

    if (!json_is_true(json_object_get(j, "mounted"))) {
        printf("mounted    not for writing\n");
        return;
    }
    printf("mounted    on %s for %s\n", string(j, "mountpoint"), duration(number(j, "uptime_s")).s);
    printf("served by  process %" PRIu64 " on host %s, pagefs %s\n", number(j, "pid"),
           string(j, "host"), string(j, "version"));
    printf("options    %s\n", string(j, "options"));
    if (has(memory, "rss_bytes"))
        printf("memory     %s, at most %s\n", cmd_bytes(number(memory, "rss_bytes")).s,
               cmd_bytes(number(memory, "peak_rss_bytes")).s);
}

/* An LSN and how far it is behind the head. */
static void print_lsn(const json_t *s, const char *name, const char *why)
{
    char bytes_name[64];
    uint64_t behind;

    snprintf(bytes_name, sizeof(bytes_name), "%s_bytes", name);
    behind = number(s, "head_bytes") - number(s, bytes_name);
    printf("  %-8s %-16s", name, string(s, name));
    if (behind > 0)
        printf(" %s behind the head; ", cmd_bytes(behind).s);
    printf("%s%s\n", behind > 0 ? "" : " ", why);
}

static void print_disk(const json_t *s)
{
    uint64_t layers = number(s, "layers"), size = number(s, "layer_bytes");

    printf("  journal  %s on disk, from LSN %s\n", cmd_bytes(number(s, "journal_bytes")).s,
           string(s, "journal_start"));
    printf("  layers   %" PRIu64, layers);
    if (layers)
        printf(", %s", cmd_bytes(size).s);
    if (size)
        printf(" (%.1f times that before compression)",
               (double)number(s, "layer_raw_bytes") / (double)size);
    putchar('\n');
}

/* What only a mount has. */
static void print_work(const json_t *s)
{
    uint64_t hits = number(s, "cache_hits"), all = hits + number(s, "cache_misses");
    uint64_t n;

    printf("  memory   %" PRIu64 " memtable%s: %" PRIu64 " versions in %s; block cache %s",
           number(s, "memtables"), plural(number(s, "memtables")), number(s, "memtable_versions"),
           cmd_bytes(number(s, "memtable_bytes")).s, cmd_bytes(number(s, "cache_bytes")).s);
    if (all)
        printf(", %.1f %% hits", 100.0 * (double)hits / (double)all);
    n = number(s, "commits");
    printf("\n  commits  %" PRIu64 " record%s of %s", n, plural(n),
           cmd_bytes(number(s, "payload_bytes")).s);
    n = number(s, "stalls");
    if (n)
        printf("; %" PRIu64 " slowed down by flushing", n);
    printf("\n  syncs    %" PRIu64 " of the disk, and %" PRIu64 " calls more that they served\n",
           number(s, "syncs"), number(s, "syncs_shared"));
    n = number(s, "flushes");
    printf("  flushes  %" PRIu64 " memtable%s written to layers\n", n, plural(n));
}

static void print_branch(const json_t *branch)
{
    const json_t *s = json_object_get(branch, "store");
    const json_t *tree = json_object_get(branch, "tree");

    printf("\nbranch %s\n", string(branch, "name"));
    printf("  head     %s\n", string(s, "head"));
    print_lsn(s, "durable", "all below is on disk");
    print_lsn(s, "flushed", "all below is in layers");
    print_disk(s);
    if (has(s, "commits"))
        print_work(s);
    printf("  opened   %" PRIu64 " records of the journal replayed in %" PRIu64 " ms\n",
           number(s, "recovered_records"), number(s, "recovery_ms"));
    if (tree)
        printf("  files    %" PRIu64 " inodes in memory, %" PRIu64 " open handles\n",
               number(tree, "cached_inodes"), number(tree, "open_handles"));
    if (json_is_true(json_object_get(s, "poisoned")))
        printf("  FAILED   a sync of the journal failed: every write fails until the volume is\n"
               "           unmounted and mounted again, when what is on disk will be found out\n");
}

struct request {
    const char *name;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct request *x = a, *y = b;

    return x->count > y->count ? -1 : x->count < y->count;
}

static void print_requests(const json_t *j)
{
    json_t *requests = json_object_get(j, "requests"), *value;
    struct request *all = calloc(json_object_size(requests) + 1, sizeof(*all));
    const char *name;
    size_t n = 0;
    int column;

    if (!all)
        return;
    json_object_foreach(requests, name, value)
    {
        if (json_is_integer(value) && json_integer_value(value) > 0)
            all[n++] = (struct request){name, (uint64_t)json_integer_value(value)};
    }
    qsort(all, n, sizeof(*all), by_count);
    column = n ? printf("\nrequests  ") : 0;
    for (size_t i = 0; i < n; i++) {
        if (column > 80)
            column = printf(",\n          ") - 1;
        else if (i)
            column += printf(",");
        column += printf(" %s %" PRIu64, all[i].name, all[i].count);
    }
    if (n)
        putchar('\n');
    free(all);
}

void cmd_status_print(const json_t *j)
{
    const json_t *branches = json_object_get(j, "branches"), *first = json_array_get(branches, 0);
    const json_t *store = json_object_get(first, "store");

    printf("volume     %s\n", string(j, "volume"));
    printf("uuid       %s\n", string(j, "uuid"));
    if (has(j, "created_s"))
        printf("created    %.19sZ\n", cmd_time(number(j, "created_s") * 1000000000).s);
    printf("page size  %s\n", cmd_bytes(number(j, "page_size")).s);
    print_mount(j);
    if (has(store, "disk_total"))
        printf("disk       %s free of %s\n", cmd_bytes(number(store, "disk_free")).s,
               cmd_bytes(number(store, "disk_total")).s);
    for (size_t i = 0; i < json_array_size(branches); i++)
        print_branch(json_array_get(branches, i));
    print_requests(j);
}
