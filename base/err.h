/* Errors: one table of codes, and the message that goes with the last one.
 *
 * A function that can fail returns int: 0, or a negative enum pfs_err. Whoever knows what failed
 * says so with pfs_fail(); callers on the way up may put more in front of it with pfs_context().
 * The message belongs to the thread and is what tools print and what the log gets. */
#ifndef PFS_BASE_ERR_H
#define PFS_BASE_ERR_H

enum pfs_err {
    PFS_OK = 0,
    PFS_ENOENT = -1,       /* no such key, name or object */
    PFS_EEXIST = -2,       /* the name is taken */
    PFS_ENOTDIR = -3,      /* a directory was needed */
    PFS_EISDIR = -4,       /* a directory was in the way */
    PFS_ENOTEMPTY = -5,    /* directory not empty */
    PFS_EINVAL = -6,       /* bad argument; nothing was done */
    PFS_ENAMETOOLONG = -7, /* name over 255 bytes */
    PFS_EFBIG = -8,        /* beyond the largest file */
    PFS_EMLINK = -9,       /* too many hard links */
    PFS_ENODATA = -10,     /* no such extended attribute */
    PFS_ERANGE = -11,      /* the caller's buffer is too small */
    PFS_ENXIO = -12,       /* no data (or hole) past this offset */
    PFS_EPERM = -13,       /* not allowed on this object */
    PFS_EACCES = -14,      /* the system denied access to a file of ours */
    PFS_EROFS = -15,       /* opened read-only, or the writer was fenced */
    PFS_ENOSPC = -16,      /* the disk is full; nothing was changed, trying later may work */
    PFS_ENOMEM = -17,      /* out of memory, or a configured bound was reached */
    PFS_EIO = -18,         /* the system failed to read or write; if it was a sync, for good */
    PFS_ECORRUPT = -19,    /* a checksum or structure is wrong in something of ours */
    PFS_EVERSION = -20,    /* written by a newer format than this program knows */
    PFS_EBUSY = -21,       /* held by another process or still in use */
    PFS_ENOTSUP = -22,     /* not supported on this object */
    PFS_ETORN = -23,       /* journal: the valid records end here (not an error at the tail) */
    PFS_ELOOP = -24,       /* a rename would make a directory its own ancestor */
    PFS_EINTERNAL = -25,   /* an invariant of ours was found broken */
    PFS_ERR_LIMIT = -26,   /* one past the last */
};

#define PFS_MUST_USE __attribute__((warn_unused_result))

/* Short name ("ENOSPC"), plain text, and the errno a file operation answers. */
const char *pfs_err_name(int err);
const char *pfs_err_text(int err);
int pfs_err_errno(int err);

/* The code for an errno captured at a system call. */
int pfs_err_from_errno(int errnum) PFS_MUST_USE;

/* Set this thread's message and return err, so that one line both reports and fails. */
int pfs_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As pfs_fail with the code and text of an errno: "<message>: No space left on device". */
int pfs_fail_errno(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "<context>: " in front of the message and return err. */
int pfs_context(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* This thread's message; never NULL. Only meaningful after a call has failed. */
const char *pfs_err_message(void);

#endif
