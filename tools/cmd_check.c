/* pagefs check = fsck.pagefs: every checksum, every reference of the tree. It repairs nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/pages/volume.h"
#include "fs/tree/tree.h"
#include "tools/cmd.h"

/* Exit codes of fsck(8), which are bits. */
enum {
    CHECK_DAMAGED = 4,
    CHECK_FAILED = 8,
    CHECK_USAGE = 16,
};

#define WAIT_MS         2000 /* for a mount that is just ending */
#define PROGRESS_NS     UINT64_C(200000000)
#define JSON_FAULTS_MAX 10000 /* more are only counted */

struct checking {
    char **argv;
    const char *path;
    const struct pfs_branch_ref *branch; /* NULL: not there yet */
    bool json;
    bool tty;   /* somebody watches standard error */
    bool shown; /* a line of progress stands on the terminal */
    uint64_t shown_ns;
    uint64_t n_faults;
    int code;
    json_t *faults, *branches; /* NULL without json */
    struct pfs_tree_check_stats sums;
};

/* --- what is said ----------------------------------------------------------------------------- */

static void clear_progress(struct checking *k)
{
    if (k->shown)
        fputs("\r\033[K", stderr);
    k->shown = false;
}

/* now: whatever was said a moment ago. */
static void show_progress(struct checking *k, bool now, const char *text)
{
    uint64_t ns = pfs_mono_ns();

    if (!k->tty || k->json || (!now && ns - k->shown_ns < PROGRESS_NS))
        return;
    clear_progress(k);
    fprintf(stderr, "%s: %s", k->branch->name, text);
    fflush(stderr);
    k->shown = true;
    k->shown_ns = ns;
}

/* file may be NULL; then, or when the text begins with it, the text says all. */
static void add_fault(struct checking *k, const char *file, uint64_t offset, const char *text)
{
    json_t *fault;

    k->n_faults++;
    k->code |= CHECK_DAMAGED;
    if (k->json) {
        if (k->n_faults > JSON_FAULTS_MAX)
            return;
        fault = json_pack("{s:s?, s:s?, s:s?}", "branch", k->branch ? k->branch->name : NULL,
                          "file", file, "text", text);
        if (file)
            json_object_set_new(fault, "offset", json_integer((json_int_t)offset));
        json_array_append_new(k->faults, fault);
        return;
    }
    clear_progress(k);
    if (file && strncmp(text, file, strlen(file)) != 0)
        printf("%s: offset %" PRIu64 ": ", file, offset);
    printf("%s\n", text);
    fflush(stdout);
}

/* The last error: damage is a fault, anything else keeps us from checking. */
static void add_error(struct checking *k, int err)
{
    if (err == PFS_ECORRUPT) {
        add_fault(k, NULL, 0, pfs_err_message());
        return;
    }
    clear_progress(k);
    k->code |= cmd_fail(k->argv, CHECK_FAILED);
}

static void on_damage(void *ctx, const char *file, uint64_t offset, const char *text)
{
    add_fault(ctx, file, offset, text);
}

static void on_tree_fault(void *ctx, const char *text)
{
    add_fault(ctx, NULL, 0, text);
}

static void on_tree_progress(void *ctx, const struct pfs_tree_check_stats *s)
{
    char text[128];

    snprintf(text, sizeof(text), "%" PRIu64 " inodes, %" PRIu64 " entries, %" PRIu64 " pages",
             s->inodes, s->entries, s->pages);
    show_progress(ctx, false, text);
}

/* --- the work --------------------------------------------------------------------------------- */

static void add_branch(struct checking *k, const struct pfs_store_stats *store,
                       const struct pfs_tree_check_stats *tree)
{
    json_int_t journal = (json_int_t)(store->head - store->flushed);

    k->sums.inodes += tree->inodes;
    k->sums.directories += tree->directories;
    k->sums.entries += tree->entries;
    k->sums.pages += tree->pages;
    k->sums.bytes += tree->bytes;
    k->sums.orphans += tree->orphans;
    if (k->json)
        json_array_append_new(
            k->branches,
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
                      k->branch->name, "head", pfs_lsn_print(store->head).s, "layers",
                      (json_int_t)store->layers, "layer_bytes", (json_int_t)store->layer_bytes,
                      "journal_bytes_past_flush", journal, "inodes", (json_int_t)tree->inodes,
                      "directories", (json_int_t)tree->directories, "entries",
                      (json_int_t)tree->entries, "pages", (json_int_t)tree->pages, "file_bytes",
                      (json_int_t)tree->bytes, "orphans", (json_int_t)tree->orphans));
}

static void check_store(struct checking *k, struct pfs_store *store, uint64_t name_seed)
{
    const struct pfs_tree_check_cb cb = {on_tree_fault, on_tree_progress, k};
    struct pfs_tree_check_stats tree;
    struct pfs_store_stats stats;
    char text[128];
    int err;

    pfs_store_stats(store, &stats);
    snprintf(text, sizeof(text), "%" PRIu64 " layers (%s) and %s of journal", stats.layers,
             cmd_bytes(stats.layer_bytes).s, cmd_bytes(stats.head - stats.flushed).s);
    show_progress(k, true, text);
    err = pfs_store_verify(store, on_damage, k);
    if (err && err != PFS_ECORRUPT) /* damage was reported as it was found */
        add_error(k, err);
    err = pfs_tree_check(store, name_seed, &cb, &tree);
    if (err && err != PFS_ECORRUPT)
        add_error(k, err);
    clear_progress(k);
    add_branch(k, &stats, &tree);
}

static void check_branch(struct checking *k, struct pfs_volume *volume)
{
    struct pfs_store_config config;
    struct pfs_store *store;
    char dir[64];
    int err;

    pfs_volume_store_config(volume, k->branch, &config, dir);
    show_progress(k, true, "opening");
    err = pfs_store_open(&config, &store);
    if (err) {
        add_error(k, err);
        return;
    }
    check_store(k, store, pfs_volume_info(volume)->name_seed);
    if (pfs_store_close(store))
        add_error(k, PFS_EIO);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void print_summary(const struct checking *k)
{
    const char *s = k->n_faults == 1 ? "" : "s";

    if (k->n_faults > 0)
        printf("%s: %" PRIu64 " error%s found, nothing was changed\n", k->path, k->n_faults, s);
    else if (k->code == 0)
        printf("%s: clean: %" PRIu64 " inodes (%" PRIu64 " directories), %" PRIu64
               " entries, %" PRIu64 " pages, files of %s\n",
               k->path, k->sums.inodes, k->sums.directories, k->sums.entries, k->sums.pages,
               cmd_bytes(k->sums.bytes).s);
}

static int print_answer(struct checking *k)
{
    json_t *doc =
        json_pack("{s:s?, s:b, s:b, s:I, s:o, s:o, s:i}", "volume", k->path, "clean", k->code == 0,
                  "complete", (k->code & CHECK_FAILED) == 0, "errors", (json_int_t)k->n_faults,
                  "faults", k->faults, "branches", k->branches, "exit_code", k->code);

    return cmd_print_json(k->argv, doc, false) ? CHECK_FAILED : 0;
}

static int check(struct checking *k)
{
    struct pfs_volume *volume;
    int err = pfs_volume_open(k->path, PFS_VOLUME_READ, WAIT_MS, &volume);

    if (err) {
        add_error(k, err);
    } else {
        const struct pfs_volume_info *info = pfs_volume_info(volume);

        for (unsigned i = 0; i < info->n_branches; i++) {
            k->branch = &info->branches[i];
            check_branch(k, volume);
        }
        k->branch = NULL;
        pfs_volume_close(volume);
    }
    if (k->json)
        k->code |= print_answer(k);
    else
        print_summary(k);
    return k->code;
}

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    CMD_LONG_OPTIONS,
};

static int run(const struct cmd *cmd, int argc, char **argv)
{
    struct checking k = {.argv = argv, .tty = isatty(STDERR_FILENO) == 1};
    int letter;

    while ((letter = getopt_long(argc, argv, "aAfnprtvyC:jhV", long_options, NULL)) != -1) {
        switch (letter) {
        case 'j':
            k.json = true;
            break;
        case 'h':
        case 'V':
        case '?':
            return cmd_other_option(cmd, argv, letter);
        default: /* fsck(8) says them to any checker */
            break;
        }
    }
    k.path = cmd_volume(cmd, argc, argv);
    if (!k.path)
        return cmd->usage_code;
    if (k.json) {
        k.faults = json_array();
        k.branches = json_array();
    }
    return check(&k);
}

const struct cmd cmd_check = {
    .name = "check",
    .summary = "verify every checksum and the whole tree (fsck.pagefs)",
    .usage = "VOLUME [--json]",
    .help = "Read all of a volume that isn't mounted writable and verify it: each checksum of\n"
            "manifests, layers and journal, then each inode, name, link count and page. Faults\n"
            "are printed a line each. Nothing is changed; there is no repair.\n"
            "\n"
            "  -j, --json       print the result as JSON\n"
            "  -a -A -f -n -p -r -t -v -y -C FD\n"
            "                   accepted as fsck(8) gives them, and without effect\n"
            "\n"
            "Exit codes, as fsck(8) has them: 0 no errors, 4 errors were found, 8 the check could\n"
            "not be made (no such volume, in use, newer format), 12 both, 16 wrong usage.\n",
    .usage_code = CHECK_USAGE,
    .failed_code = CHECK_FAILED,
    .run = run,
};
