/* The two halves of `pagefs status`. */
#ifndef PFS_TOOLS_CMD_STATUS_H
#define PFS_TOOLS_CMD_STATUS_H

#include <jansson.h>

/* Print what `status` is known to answer (cmd_status.c) as tables for people, on stdout. */
void cmd_status_print(const json_t *status);

#endif
