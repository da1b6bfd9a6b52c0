/* Golden files: the bytes of a format as they were when its version was made. */
#ifndef PFS_TESTS_LIB_GOLDEN_H
#define PFS_TESTS_LIB_GOLDEN_H

#include <stddef.h>

/* The whole file tests/unit/golden/NAME, at most max bytes, into buf. Returns its length; 0 when it
 * can't be read. */
size_t golden_read(const char *name, void *buf, size_t max);

/* Write it anew: what a test does when WRITE_GOLDEN is set. Returns 0, or -1 on failure. */
int golden_write(const char *name, const void *data, size_t len);

#endif
