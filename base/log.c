#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

static atomic_int max_level = PFS_LOG_INFO;
static atomic_bool use_syslog;

static const char *const names[] = {"error", "warn", "info", "debug"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

void pfs_log_set_level(enum pfs_log_level level)
{
    atomic_store(&max_level, (int)level);
}

void pfs_log_to_syslog(const char *ident)
{
    openlog(ident, LOG_PID, LOG_DAEMON);
    atomic_store(&use_syslog, true);
}

/* Quotes and control bytes of outside text must not end the line or the field early. */
static void sanitize(char *text)
{
    for (; *text; text++) {
        if (*text == '"')
            *text = '\'';
        else if ((unsigned char)*text < ' ')
            *text = '?';
    }
}

void pfs_log(enum pfs_log_level level, const char *mod, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    if ((int)level > atomic_load(&max_level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    sanitize(text);
    if (atomic_load(&use_syslog))
        syslog(priorities[level], "level=%s mod=%s msg=\"%s\"", names[level], mod, text);
    else
        fprintf(stderr, "level=%s mod=%s msg=\"%s\"\n", names[level], mod, text);
}
