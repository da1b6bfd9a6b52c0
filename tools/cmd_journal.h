/* The two halves of `pagefs journal dump`. */
#ifndef PFS_TOOLS_CMD_JOURNAL_H
#define PFS_TOOLS_CMD_JOURNAL_H

#include <stdbool.h>

#include "wal/record.h"

/* How records are printed on stdout: a line each, or a JSON object a line; with their entries? */
struct cmd_journal_form {
    bool json;
    bool entries;
};

void cmd_journal_print_head(const struct cmd_journal_form *form);
void cmd_journal_print(const struct cmd_journal_form *form, const struct pfs_record *rec,
                       const struct pfs_entry *entries);

#endif
