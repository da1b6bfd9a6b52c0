/* pagefs init = mkfs.pagefs: make a volume. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/pages/volume.h"
#include "tools/cmd.h"

static const struct option long_options[] = {
    {"page-size", required_argument, NULL, 'p'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'}, /* mkfs(8) hands it on */
    CMD_LONG_OPTIONS,
};

/* "8192", "8k", "8KiB". */
static int parse_page_size(const char *text, uint32_t *out)
{
    unsigned long n;
    char *end;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno || n > PFS_PAGE_SIZE_MAX)
        n = 0;
    if (strcasecmp(end, "k") == 0 || strcasecmp(end, "KiB") == 0)
        n *= 1024;
    else if (*end)
        n = 0;
    if (n < PFS_PAGE_SIZE_MIN || n > PFS_PAGE_SIZE_MAX || (n & (n - 1)) != 0)
        return pfs_fail(PFS_EINVAL, "page size '%s': it is 4096, 8192, 16384, 32768 or 65536",
                        text);
    *out = (uint32_t)n;
    return 0;
}

static void say(const char *path, const struct pfs_volume_info *info)
{
    printf("%s is a pagefs volume now\n", path);
    printf("  uuid       %s\n", info->uuid_text);
    printf("  page size  %s\n", cmd_bytes(info->page_size).s);
    for (unsigned i = 0; i < info->n_branches; i++)
        printf("  branch     %s\n", info->branches[i].name);
    printf("Mount it with: mount -t pagefs %s DIRECTORY -o branch=main\n", path);
}

static int make(char **argv, const char *path, uint32_t page_size, bool quiet)
{
    struct pfs_volume *volume;

    /* What was made is read back and said, so that it is known to be readable. */
    if (pfs_volume_create(path, page_size) || pfs_volume_open(path, PFS_VOLUME_PEEK, 0, &volume))
        return cmd_fail(argv, CMD_FAILED);
    if (!quiet)
        say(path, pfs_volume_info(volume));
    pfs_volume_close(volume);
    return CMD_OK;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
    uint32_t page_size = PFS_PAGE_SIZE_DEFAULT;
    bool quiet = false;
    const char *path;
    int letter;

    while ((letter = getopt_long(argc, argv, "p:qvhV", long_options, NULL)) != -1) {
        switch (letter) {
        case 'p':
            if (parse_page_size(optarg, &page_size))
                return cmd_usage_error(cmd, argv, "%s", pfs_err_message());
            break;
        case 'q':
            quiet = true;
            break;
        case 'v':
            break;
        default:
            return cmd_other_option(cmd, argv, letter);
        }
    }
    path = cmd_volume(cmd, argc, argv);
    return path ? make(argv, path, page_size, quiet) : cmd->usage_code;
}

const struct cmd cmd_init = {
    .name = "init",
    .summary = "make a volume (the same as mkfs.pagefs)",
    .usage = "VOLUME [--page-size N] [--quiet]",
    .help = "Make a pagefs volume in the directory VOLUME, which is created if it isn't there and\n"
            "must be empty otherwise. It begins with one branch, main.\n"
            "\n"
            "  -p, --page-size N  bytes of a page: 4096, 8192 (default), 16384, 32768, 65536, or\n"
            "                     4k to 64k; it can't be changed later. Postgres has pages of 8k\n"
            "  -q, --quiet        say nothing if all is well\n"
            "\n"
            "Exit codes: 0 made, 1 not made, 2 wrong usage.\n",
    .usage_code = CMD_USAGE,
    .failed_code = CMD_FAILED,
    .run = run,
};
