#include "base/blocking.h"

#include <stddef.h>

static _Thread_local pfs_blocking_cb *expected;
static _Thread_local void *expected_ctx;

void pfs_blocking_expect(pfs_blocking_cb *cb, void *ctx)
{
    expected = cb;
    expected_ctx = ctx;
}

void pfs_blocking(void)
{
    pfs_blocking_cb *cb = expected;

    if (cb) {
        expected = NULL;
        cb(expected_ctx);
    }
}

void pfs_mutex_lock(pthread_mutex_t *mu)
{
    if (pthread_mutex_trylock(mu) == 0)
        return;
    pfs_blocking();
    pthread_mutex_lock(mu);
}
