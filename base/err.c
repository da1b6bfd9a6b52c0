#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
    int errnum;
} table[] = {
    [-PFS_OK] = {"OK", "success", 0},
    [-PFS_ENOENT] = {"ENOENT", "no such object", ENOENT},
    [-PFS_EEXIST] = {"EEXIST", "already exists", EEXIST},
    [-PFS_ENOTDIR] = {"ENOTDIR", "not a directory", ENOTDIR},
    [-PFS_EISDIR] = {"EISDIR", "is a directory", EISDIR},
    [-PFS_ENOTEMPTY] = {"ENOTEMPTY", "directory not empty", ENOTEMPTY},
    [-PFS_EINVAL] = {"EINVAL", "invalid argument", EINVAL},
    [-PFS_ENAMETOOLONG] = {"ENAMETOOLONG", "name too long", ENAMETOOLONG},
    [-PFS_EFBIG] = {"EFBIG", "file too large", EFBIG},
    [-PFS_EMLINK] = {"EMLINK", "too many links", EMLINK},
    [-PFS_ENODATA] = {"ENODATA", "no such attribute", ENODATA},
    [-PFS_ERANGE] = {"ERANGE", "buffer too small", ERANGE},
    [-PFS_ENXIO] = {"ENXIO", "no data at or past this offset", ENXIO},
    [-PFS_EPERM] = {"EPERM", "operation not permitted", EPERM},
    [-PFS_EACCES] = {"EACCES", "permission denied", EACCES},
    [-PFS_EROFS] = {"EROFS", "read-only", EROFS},
    [-PFS_ENOSPC] = {"ENOSPC", "no space left", ENOSPC},
    [-PFS_ENOMEM] = {"ENOMEM", "out of memory", ENOMEM},
    [-PFS_EIO] = {"EIO", "input/output error", EIO},
    [-PFS_ECORRUPT] = {"ECORRUPT", "damaged data", EIO},
    [-PFS_EVERSION] = {"EVERSION", "written by a newer version", EIO},
    [-PFS_EBUSY] = {"EBUSY", "in use", EBUSY},
    [-PFS_ENOTSUP] = {"ENOTSUP", "not supported", EOPNOTSUPP},
    [-PFS_ETORN] = {"ETORN", "end of the valid journal", EIO},
    [-PFS_ELOOP] = {"ELOOP", "a directory can't be moved into itself", EINVAL},
    [-PFS_EINTERNAL] = {"EINTERNAL", "internal error", EIO},
};

_Static_assert(sizeof(table) / sizeof(table[0]) == -PFS_ERR_LIMIT, "one row an error");

static _Thread_local char message[1024];

static int row(int err)
{
    return err <= 0 && err > PFS_ERR_LIMIT ? -err : -PFS_EINTERNAL;
}

const char *pfs_err_name(int err)
{
    return table[row(err)].name;
}

const char *pfs_err_text(int err)
{
    return table[row(err)].text;
}

int pfs_err_errno(int err)
{
    return table[row(err)].errnum;
}

int pfs_err_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return PFS_EINTERNAL;
    case EDQUOT:
        return PFS_ENOSPC;
    case ENFILE:
    case EMFILE:
        return PFS_ENOMEM;
    case EPERM:
        return PFS_EACCES;
    case EIO:
        return PFS_EIO;
    default:
        for (int i = 1; i < -PFS_ERR_LIMIT; i++)
            if (table[i].errnum == errnum && errnum != EIO)
                return -i;
        return PFS_EIO;
    }
}

int pfs_fail(int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    return err;
}

int pfs_fail_errno(int errnum, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    len = strlen(message);
    snprintf(message + len, sizeof(message) - len, ": %s", strerror(errnum));
    return pfs_err_from_errno(errnum);
}

int pfs_context(int err, const char *fmt, ...)
{
    char inner[sizeof(message)];
    va_list ap;
    size_t len;

    memcpy(inner, message, sizeof(inner));
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    len = strlen(message);
    snprintf(message + len, sizeof(message) - len, ": %.*s", (int)(sizeof(message) - len),
             inner[0] ? inner : pfs_err_text(err));
    return err;
}

const char *pfs_err_message(void)
{
    return message;
}
