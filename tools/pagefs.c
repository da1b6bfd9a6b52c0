/* pagefs: the command line of a volume. Called as mkfs.pagefs it is `pagefs init`, called as
 * fsck.pagefs it is `pagefs check`, so that mkfs(8) and fsck(8) find it. */
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

/* How many words of argv are the command's name; 0 if they are another's. */
static int match(const struct cmd *cmd, int argc, char **argv)
{
    const char *blank = strchr(cmd->name, ' ');
    size_t len = blank ? (size_t)(blank - cmd->name) : strlen(cmd->name);

    if (strlen(argv[0]) != len || strncmp(argv[0], cmd->name, len) != 0)
        return 0;
    if (!blank)
        return 1;
    return argc > 1 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

static const struct cmd *find(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        *words = match(commands[i], argc, argv);
        if (*words)
            return commands[i];
    }
    return NULL;
}

/* Say so, and which commands begin like this. */
static int unknown(const char *word)
{
    size_t len = strlen(word);

    fprintf(stderr, "pagefs: there is no command '%s'", word);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strncmp(commands[i]->name, word, len) == 0)
            fprintf(stderr, ", but there is '%s'", commands[i]->name);
    fputs("\nTry 'pagefs --help'.\n", stderr);
    return CMD_USAGE;
}

/* What was printed must have arrived. */
static int finish(const char *title, int code, int failed_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "%s: cannot write to standard output\n", title);
    return code ? code : failed_code;
}

/* Run a command under `title`, as getopt and all messages will call it. */
static int call(const struct cmd *cmd, char *title, int argc, char **argv)
{
    argv[0] = title;
    return finish(title, cmd->run(cmd, argc, argv), cmd->failed_code);
}

static int call_named(int argc, char **argv, bool help)
{
    static char help_option[] = "--help";
    char *help_argv[] = {NULL, help_option, NULL};
    char title[64];
    int words;
    const struct cmd *cmd = find(argc, argv, &words);

    if (!cmd)
        return unknown(argv[0]);
    snprintf(title, sizeof(title), "pagefs %s", cmd->name);
    if (help)
        return call(cmd, title, 2, help_argv);
    return call(cmd, title, argc - words + 1, argv + words - 1);
}

/* As `pagefs`, with the command's name in argv. */
static int call_any(int argc, char **argv)
{
    if (argc < 2) {
        fputs("pagefs: a command is missing\nTry 'pagefs --help'.\n", stderr);
        return CMD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("pagefs %s\n", PFS_VERSION);
        return finish("pagefs", CMD_OK, CMD_FAILED);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_help();
        return finish("pagefs", CMD_OK, CMD_FAILED);
    }
    if (strcmp(argv[1], "help") == 0)
        return call_named(argc - 2, argv + 2, true);
    return call_named(argc - 1, argv + 1, false);
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
    return call_any(argc, argv);
}
