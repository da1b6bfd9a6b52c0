/* What the commands have in common: errors, help, numbers for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/mount/version.h"
#include "tools/cmd.h"

static int point_to_help(const struct cmd *cmd, char **argv)
{
    fprintf(stderr, "Try '%s --help'.\n", argv[0]);
    return cmd->usage_code;
}

int cmd_other_option(const struct cmd *cmd, char **argv, int letter)
{
    if (letter == 'h') {
        printf("Usage: %s %s\n%s", argv[0], cmd->usage, cmd->help);
        return CMD_OK;
    }
    if (letter == 'V') {
        printf("pagefs %s\n", PFS_VERSION);
        return CMD_OK;
    }
    return point_to_help(cmd, argv);
}

int cmd_usage_error(const struct cmd *cmd, char **argv, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", argv[0]);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return point_to_help(cmd, argv);
}

const char *cmd_volume(const struct cmd *cmd, int argc, char **argv)
{
    if (optind == argc) {
        cmd_usage_error(cmd, argv, "which volume? Its directory is missing");
        return NULL;
    }
    if (optind + 1 < argc) {
        cmd_usage_error(cmd, argv, "'%s' is one operand too many", argv[optind + 1]);
        return NULL;
    }
    return argv[optind];
}

int cmd_fail(char **argv, int code)
{
    fprintf(stderr, "%s: %s\n", argv[0], pfs_err_message());
    return code;
}

struct cmd_text cmd_bytes(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct cmd_text text;
    double value = (double)bytes;
    unsigned unit = 0;

    /* 1023.95 would be printed as 1024.0 */
    while (value >= 1023.95 && unit < 6) {
        value /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(text.s, sizeof(text.s), "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
    else if ((uint64_t)(value * 10 + 0.5) % 10 == 0)
        snprintf(text.s, sizeof(text.s), "%.0f %s", value, units[unit]);
    else
        snprintf(text.s, sizeof(text.s), "%.1f %s", value, units[unit]);
    return text;
}

struct cmd_text cmd_time(uint64_t ns)
{
    time_t seconds = (time_t)(ns / PFS_NS_PER_S);
    struct cmd_text text;
    struct tm tm;
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(text.s, sizeof(text.s), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text.s + len, sizeof(text.s) - len, ".%03uZ", (unsigned)(ns % PFS_NS_PER_S / 1000000));
    return text;
}

int cmd_print_json(char **argv, json_t *doc, bool one_line)
{
    int failed = !doc || json_dumpf(doc, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));

    json_decref(doc);
    if (!failed)
        failed = putchar('\n') == EOF;
    if (failed) {
        pfs_fail(PFS_EIO, "cannot write the answer: out of memory, or nobody reads it");
        return cmd_fail(argv, CMD_FAILED);
    }
    return CMD_OK;
}
