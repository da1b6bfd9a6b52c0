#include <stdio.h>

#include "tools/cmd.h"

static int run(const struct cmd *cmd, int argc, char **argv)
{
    (void)argc;
    fprintf(stderr, "%s: not there yet\n", argv[0]);
    return cmd->usage_code;
}

const struct cmd cmd_status = {
    .name = "status", .summary = "", .usage = "", .help = "", .usage_code = 2, .run = run};
