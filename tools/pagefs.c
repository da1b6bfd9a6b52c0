/* pagefs: the command line of a volume. Called as mkfs.pagefs it is `pagefs init`, called as
 * fsck.pagefs it is `pagefs check`, so that mkfs(8) and fsck(8) find it. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/mount/version.h"
#include "tools/cmd.h"

static const struct cmd *const commands[] = {&cmd_init, &cmd_status, &cmd_check, &cmd_journal_dump};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
    puts("Usage: pagefs COMMAND [OPTION...] VOLUME\n"
         "Make, look at and check pagefs volumes. A volume is a directory made by `pagefs init`;\n"
         "mount.pagefs(8) mounts it.\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-14s %s\n", commands[i]->name, commands[i]->summary);
    puts(
        "\n"
        "`pagefs help COMMAND` or `pagefs COMMAND --help` says more, pagefs(8) says all;\n"
        "pagefs(7) says what pagefs is and what it guarantees. `pagefs --version` is the version.");
}

/* The command that argv begins with; *words is how many of argv are its name. */
static const struct cmd *find(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *name = commands[i]->name, *blank = strchr(name, ' ');
        size_t len = blank ? (size_t)(blank - name) : strlen(name);

        if (strlen(argv[0]) != len || strncmp(argv[0], name, len) != 0)
            continue;
        *words = blank ? 2 : 1;
        if (!blank || (argc > 1 && strcmp(argv[1], blank + 1) == 0))
            return commands[i];
    }
    return NULL;
}

static int unknown(const char *first, const char *second)
{
    fprintf(stderr, "pagefs: there is no command '%s%s%s'\nTry 'pagefs --help'.\n", first,
            second ? " " : "", second ? second : "");
    return CMD_USAGE;
}

/* Run a command under `title`, as getopt and all messages will call it. */
static int call(const struct cmd *cmd, char *title, int argc, char **argv)
{
    int code;

    argv[0] = title;
    code = cmd->run(cmd, argc, argv);
    if (fflush(stdout) != 0 && code == CMD_OK) {
        fprintf(stderr, "%s: cannot write to standard output\n", title);
        code = CMD_FAILED;
    }
    return code;
}

static int call_named(int argc, char **argv, bool help)
{
    static char help_option[] = "--help";
    char *help_argv[] = {NULL, help_option, NULL};
    char title[64];
    int words = 1;
    const struct cmd *cmd = find(argc, argv, &words);

    if (!cmd && argc == 2 && strcmp(argv[0], "journal") == 0 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return call_named(1, argv, true);
    if (!cmd && help && strcmp(argv[0], "journal") == 0)
        cmd = &cmd_journal_dump; /* the only one of its kind */
    if (!cmd)
        return unknown(argv[0], words == 2 && argc > 1 ? argv[1] : NULL);
    snprintf(title, sizeof(title), "pagefs %s", cmd->name);
    return help ? call(cmd, title, 2, help_argv)
                : call(cmd, title, argc - words + 1, argv + words - 1);
}

int main(int argc, char **argv)
{
    static char mkfs[] = "mkfs.pagefs", fsck[] = "fsck.pagefs";
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "pagefs";

    pfs_log_set_level(PFS_LOG_WARN);
    if (strcmp(name, mkfs) == 0)
        return call(&cmd_init, mkfs, argc, argv);
    if (strcmp(name, fsck) == 0)
        return call(&cmd_check, fsck, argc, argv);
    if (argc < 2) {
        fputs("pagefs: a command is missing\nTry 'pagefs --help'.\n", stderr);
        return CMD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return printf("pagefs %s\n", PFS_VERSION) < 0 ? CMD_FAILED : CMD_OK;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_help();
        return CMD_OK;
    }
    if (strcmp(argv[1], "help") == 0)
        return call_named(argc - 2, argv + 2, true);
    return call_named(argc - 1, argv + 1, false);
}
