/* Into the background, but not before the mount is ready: the parent waits for the child's word and
 * ends with it. */
#ifndef PFS_MOUNT_DAEMON_H
#define PFS_MOUNT_DAEMON_H

struct pfs_daemon {
    int report_fd; /* the child's end of the pipe to the parent; -1 once it has reported */
    int log_fd;    /* what the log is written to, or -1: to syslog */
};

/* Fork. Returns in the child only, or with an error in the caller if that isn't possible. The
 * parent waits, prints the child's message to stderr if there is one, and exits with its code; a
 * SIGINT or SIGTERM to the parent ends the child, too. The child has left the terminal's session
 * and closed what it inherited but stdin, stdout, stderr, log_fd and keep_fd (-1: none). Its log
 * goes to syslog or to log_fd from the start. Call it before there are threads. */
int pfs_daemon_start(struct pfs_daemon *d, int log_fd, int keep_fd)
    __attribute__((warn_unused_result));

/* In the child: let the parent go, with success, and leave its terminal and directory. */
void pfs_daemon_ready(struct pfs_daemon *d);

/* In the child: let the parent go with an exit code and a message. Nothing if it is gone. */
void pfs_daemon_failed(struct pfs_daemon *d, int exit_code, const char *message);

#endif
