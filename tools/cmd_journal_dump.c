/* pagefs journal dump: the records of a branch's journal, a line each. It only looks at the files,
 * so it works beside a running mount and on a volume that won't open. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/pages/manifest.h"
#include "fs/pages/volume.h"
#include "tools/cmd.h"
#include "tools/cmd_journal.h"
#include "wal/reader.h"

#define DUMP_DAMAGED 4 /* exit code, as `pagefs check` has it */

struct dump {
    char **argv;
    const char *path, *branch;
    struct cmd_journal_form form;
    bool given_from;
    pfs_lsn from, to;
    uint64_t limit; /* records */

    struct pfs_io *io;
    char dir[64], journal[80];
    struct pfs_segment_id id;
    bool mounted;
    pfs_lsn flushed; /* all below is in layers; 0: not known */
    uint64_t n_printed;
};

static int parse_lsn(const char *option, const char *text, pfs_lsn *out)
{
    if (pfs_lsn_parse(text, out))
        return pfs_fail(PFS_EINVAL, "%s %s: an LSN looks like 0/16B3748", option, text);
    return 0;
}

static int parse_limit(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno)
        return pfs_fail(PFS_EINVAL, "--limit %s: a number of records is needed", text);
    return 0;
}

/* The segment to begin with. Those that are only kept for reuse are left out: the journal is what
 * hangs together with the place up to which all is in layers, as the manifest says; if that can't
 * be read, it begins with the oldest segment. */
static pfs_lsn oldest(const struct dump *d, const pfs_lsn *starts, unsigned n)
{
    unsigned at = 0;

    while (at + 1 < n && starts[at] < pfs_segment_start(&d->id, d->flushed))
        at++;
    while (d->flushed && at > 0 && starts[at - 1] + pfs_segment_size(&d->id) == starts[at])
        at--;
    return starts[at];
}

/* Where to start reading; records below d->from will be passed over. */
static int find_start(struct dump *d, pfs_lsn *out)
{
    struct pfs_manifest manifest;
    pfs_lsn *starts;
    bool there = false;
    unsigned n;
    int err = pfs_segment_list(d->io, d->journal, &d->id, &starts, &n);

    if (err)
        return err;
    if (pfs_manifest_read(d->io, d->dir, &manifest) == 0) {
        d->flushed = manifest.flushed;
        pfs_manifest_release(&manifest);
    }
    *out = pfs_segment_start(&d->id, d->from);
    for (unsigned i = 0; i < n; i++)
        there |= starts[i] == *out;
    if (n == 0)
        err = pfs_fail(PFS_ECORRUPT, "%s/%s: there is no segment at all", d->path, d->journal);
    else if (!d->given_from)
        *out = oldest(d, starts, n);
    else if (!there)
        err = pfs_fail(PFS_ENOENT, "%s/%s: no segment holds LSN %s; the oldest begins at %s",
                       d->path, d->journal, pfs_lsn_print(d->from).s, pfs_lsn_print(starts[0]).s);
    free(starts);
    return err;
}

/* Say how it ended. Returns the exit code. */
static int say_end(const struct dump *d, const char *end, pfs_lsn lsn, const char *why, int code)
{
    if (d->form.json) {
        json_t *j = json_pack("{s:s, s:s, s:s, s:I}", "end", end, "lsn", pfs_lsn_print(lsn).s,
                              "why", why, "records", (json_int_t)d->n_printed);

        return cmd_print_json(d->argv, j, true) ? CMD_FAILED : code;
    }
    printf("-- %s at LSN %s after %" PRIu64 " record%s: %s\n", end, pfs_lsn_print(lsn).s,
           d->n_printed, d->n_printed == 1 ? "" : "s", why);
    return code;
}

/* No valid record follows; the message says why. */
static int judge_end(const struct dump *d, struct pfs_reader *reader)
{
    pfs_lsn end = pfs_reader_position(reader);
    char why[512];
    int err;

    if (end < d->flushed) {
        snprintf(why, sizeof(why), "%s; all below LSN %s is in layers: --from %s goes on",
                 pfs_err_message(), pfs_lsn_print(d->flushed).s, pfs_lsn_print(d->flushed).s);
        return say_end(d, "gap", end, why, CMD_OK);
    }
    if (d->mounted)
        return say_end(d, "end", end, "the volume is mounted, and more may follow", CMD_OK);
    err = pfs_reader_check_tail(reader);
    if (err == PFS_ECORRUPT)
        return say_end(d, "damage", end, pfs_err_message(), DUMP_DAMAGED);
    if (err)
        return cmd_fail(d->argv, CMD_FAILED);
    return say_end(d, "end", end, "nothing more has ever been durable", CMD_OK);
}

static int print_records(struct dump *d, struct pfs_reader *reader)
{
    struct pfs_entry *entries;
    struct pfs_record rec;
    int err;

    cmd_journal_print_head(&d->form);
    while ((err = pfs_reader_next(reader, &rec, &entries)) == 0) {
        if (rec.lsn >= d->to)
            return say_end(d, "stopped", rec.lsn, "--to was reached", CMD_OK);
        if (rec.lsn < d->from)
            continue;
        if (d->n_printed == d->limit)
            return say_end(d, "stopped", rec.lsn, "--limit was reached", CMD_OK);
        cmd_journal_print(&d->form, &rec, entries);
        d->n_printed++;
        if (ferror(stdout))
            return CMD_OK; /* main() says it */
    }
    if (err == PFS_ETORN)
        return judge_end(d, reader);
    if (err == PFS_ECORRUPT)
        return say_end(d, "damage", pfs_reader_position(reader), pfs_err_message(), DUMP_DAMAGED);
    return cmd_fail(d->argv, CMD_FAILED);
}

static int dump(struct dump *d)
{
    struct pfs_reader *reader;
    pfs_lsn start = 0;
    int code, err = find_start(d, &start);

    if (!err)
        err = pfs_reader_create(d->io, d->journal, &d->id, start, 0, &reader);
    if (err)
        return cmd_fail(d->argv, err == PFS_ECORRUPT ? DUMP_DAMAGED : CMD_FAILED);
    code = print_records(d, reader);
    pfs_reader_destroy(reader);
    return code;
}

static int dump_branch(struct dump *d, struct pfs_volume *volume)
{
    const struct pfs_branch_ref *branch;
    struct pfs_store_config config;
    char holder[512];

    if (pfs_volume_find_branch(volume, d->branch, &branch))
        return cmd_fail(d->argv, CMD_FAILED);
    pfs_volume_store_config(volume, branch, &config, d->dir);
    snprintf(d->journal, sizeof(d->journal), "%s/journal", d->dir);
    memcpy(d->id.uuid, config.uuid, sizeof(d->id.uuid));
    d->id.branch = config.branch_id;
    d->id.size = config.segment_bytes;
    d->io = config.io;
    d->mounted = pfs_volume_holder(volume, holder, sizeof(holder)) == 0;
    return dump(d);
}

static const struct option long_options[] = {
    {"branch", required_argument, NULL, 'b'},
    {"from", required_argument, NULL, 'f'},
    {"to", required_argument, NULL, 't'},
    {"limit", required_argument, NULL, 'l'},
    {"json", no_argument, NULL, 'j'},
    {"entries", no_argument, NULL, 'e'},
    CMD_LONG_OPTIONS,
};

/* Returns an exit code, or -1 to go on. */
static int take_option(const struct cmd *cmd, struct dump *d, int letter)
{
    int err = 0;

    switch (letter) {
    case 'b':
        d->branch = optarg;
        break;
    case 'f':
        err = parse_lsn("--from", optarg, &d->from);
        d->given_from = true;
        break;
    case 't':
        err = parse_lsn("--to", optarg, &d->to);
        break;
    case 'l':
        err = parse_limit(optarg, &d->limit);
        break;
    case 'j':
        d->form.json = true;
        break;
    case 'e':
        d->form.entries = true;
        break;
    default:
        return cmd_other_option(cmd, d->argv, letter);
    }
    return err ? cmd_usage_error(cmd, d->argv, "%s", pfs_err_message()) : -1;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
    struct dump d = {.argv = argv, .branch = "main", .to = PFS_LSN_MAX, .limit = UINT64_MAX};
    struct pfs_volume *volume;
    int letter, code;

    while ((letter = getopt_long(argc, argv, "b:f:t:l:jehV", long_options, NULL)) != -1) {
        code = take_option(cmd, &d, letter);
        if (code >= 0)
            return code;
    }
    d.path = cmd_volume(cmd, argc, argv);
    if (!d.path)
        return cmd->usage_code;
    if (pfs_volume_open(d.path, PFS_VOLUME_PEEK, 0, &volume))
        return cmd_fail(argv, CMD_FAILED);
    code = dump_branch(&d, volume);
    pfs_volume_close(volume);
    return code;
}

const struct cmd cmd_journal_dump = {
    .name = "journal dump",
    .summary = "the records of a branch's journal, a line each",
    .usage = "VOLUME [--branch NAME] [--from LSN] [--to LSN] [--limit N]\n"
             "                           [--entries] [--json]",
    .help =
        "Print the journal's records, oldest first, also beside a running mount. What has gone\n"
        "into layers is only there as long as its segments have not been reused.\n"
        "\n"
        "  -b, --branch NAME  this branch (default: main)\n"
        "  -f, --from LSN     from the first record at or past LSN on (default: the oldest)\n"
        "  -t, --to LSN       records that begin before LSN\n"
        "  -l, --limit N      at most N records\n"
        "  -e, --entries      with the keys that each record writes: P a page, I an inode,\n"
        "                     D a directory entry, X an extended attribute, O an orphan\n"
        "  -j, --json         an object a line; the last one says how it ended\n"
        "\n"
        "Exit codes: 0 printed, 1 not to be had, 2 wrong usage, 4 the journal is damaged.\n",
    .usage_code = CMD_USAGE,
    .failed_code = CMD_FAILED,
    .run = run,
};
