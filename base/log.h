/* The log: one line a thing, `level=warn mod=wal msg="…" …`, to stderr or to syslog.
 * `error` means that someone must act. Threads: any. */
#ifndef PFS_BASE_LOG_H
#define PFS_BASE_LOG_H

#include <stdbool.h>

enum pfs_log_level { PFS_LOG_ERROR, PFS_LOG_WARN, PFS_LOG_INFO, PFS_LOG_DEBUG };

/* Lines above this level are dropped; the default is PFS_LOG_INFO. */
void pfs_log_set_level(enum pfs_log_level level);

/* From now on lines go to syslog (as daemons do once they have left the terminal). */
void pfs_log_to_syslog(const char *ident);

/* mod is the room that speaks ("wal", "pages", "mount"). The text has no newline. */
void pfs_log(enum pfs_log_level level, const char *mod, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define pfs_log_error(mod, ...) pfs_log(PFS_LOG_ERROR, mod, __VA_ARGS__)
#define pfs_log_warn(mod, ...)  pfs_log(PFS_LOG_WARN, mod, __VA_ARGS__)
#define pfs_log_info(mod, ...)  pfs_log(PFS_LOG_INFO, mod, __VA_ARGS__)
#define pfs_log_debug(mod, ...) pfs_log(PFS_LOG_DEBUG, mod, __VA_ARGS__)

#endif
