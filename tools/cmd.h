/* The commands of pagefs(8): one file each, cmd_NAME.c, behind one small interface. */
#ifndef PFS_TOOLS_CMD_H
#define PFS_TOOLS_CMD_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1,
    CMD_USAGE = 2,
};

struct cmd {
    const char *name;    /* "journal dump" has two words */
    const char *summary; /* a line of `pagefs --help` */
    const char *usage;   /* what follows the command's name on its command line */
    const char *help;    /* what --help says below that */
    int usage_code;      /* exit code for a wrong command line */
    int failed_code;     /* exit code if the answer can't be written */
    /* argv[0] is the command as the user called it, getopt's state is fresh. Returns the exit
     * code. */
    int (*run)(const struct cmd *cmd, int argc, char **argv);
};

extern const struct cmd cmd_init, cmd_status, cmd_check, cmd_journal_dump;

/* The options that every command has: end its table of long options with it. */
#define CMD_LONG_OPTIONS                                                                           \
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'},                         \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }

/* What to do with a letter that the command itself doesn't know: help, version, or getopt has just
 * said what is wrong. Returns the exit code. */
int cmd_other_option(const struct cmd *cmd, char **argv, int letter);

/* "TITLE: <message>", then where to find help; returns the command's usage_code. */
int cmd_usage_error(const struct cmd *cmd, char **argv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The one operand VOLUME: NULL when there is none or more, and then the user has been told. */
const char *cmd_volume(const struct cmd *cmd, int argc, char **argv);

/* "TITLE: <this thread's error message>" on stderr; returns code. */
int cmd_fail(char **argv, int code);

/* "1.5 GiB", "8 KiB", "17 bytes": by value, as pfs_lsn_print. */
struct cmd_text {
    char s[48];
};
struct cmd_text cmd_bytes(uint64_t bytes);
/* UTC to the millisecond: "2026-11-23T10:00:00.000Z". */
struct cmd_text cmd_time(uint64_t ns);

/* Print doc (taken over) on stdout, indented if it isn't to be one line. Returns the exit code. */
int cmd_print_json(char **argv, json_t *doc, bool one_line);

#endif
