/* A store and the history that it must agree with: each version of each key, kept in memory. For
 * tests of the store; failures are cmocka's. */
#ifndef PFS_TESTS_LIB_STORE_MODEL_H
#define PFS_TESTS_LIB_STORE_MODEL_H

#include "fs/pages/store.h"

#define HISTORY_PAGE  512 /* bytes of a page */
#define HISTORY_INOS  3   /* files with pages: 1 to this */
#define HISTORY_BLKS  8   /* blocks of each */
#define HISTORY_METAS 20  /* inode keys */
#define HISTORY_MAX   20000

struct history_version {
    struct pfs_key key;
    pfs_lsn lsn;
    uint8_t kind, depth;
    uint32_t len;
    unsigned char *bytes; /* the whole page of a page, unless it is deleted */
};

struct history {
    struct pfs_io *io;
    struct pfs_store_config config;
    struct pfs_store *store; /* NULL: closed */
    struct history_version *v;
    size_t n;
    uint64_t random;
};

/* A new store on the disk, open: small segments, no thread. io stays the caller's. */
void history_init(struct history *h, struct pfs_io *io, uint64_t seed);
void history_release(struct history *h);

/* Close as at an unmount, or as at a kill; open, as h->config says. */
void history_close(struct history *h);
void history_abandon(struct history *h);
void history_open(struct history *h);

/* Commit a record of one to four random changes and note it. Nothing is noted on failure. */
int history_commit(struct history *h) PFS_MUST_USE;
void history_commits(struct history *h, unsigned n); /* all must succeed */

/* All gets, reads and some scans at that LSN say what the history says. */
void history_check(struct history *h, pfs_lsn lsn);
/* The same at the head, and at n random LSNs of the past. */
void history_check_all(struct history *h, unsigned n);

#endif
