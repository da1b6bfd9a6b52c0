/* Any bytes as a POSIX ACL: what it makes of a mode, and what chmod makes of it.
 *
 * The first two bytes are the mode to chmod to, the rest is the ACL. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint32_t before = 07000; /* the bits that no ACL has */
    uint32_t mode = before, want, again = before;
    unsigned char *acl;
    bool minimal, still;
    size_t len;

    if (size < 2)
        return 0;
    want = ((uint32_t)data[0] << 8 | data[1]) & 0777;
    len = size - 2;
    acl = malloc(len ? len : 1); /* exactly as long, to see a step beyond */
    if (!acl)
        abort();
    memcpy(acl, data + 2, len);
    if (pfs_acl_to_mode(acl, len, &mode, &minimal)) {
        assert(mode == before);
        assert(pfs_acl_chmod(acl, len, want) != 0);
        assert(memcmp(acl, data + 2, len) == 0);
    } else {
        assert((mode & ~UINT32_C(0777)) == before);
        assert(pfs_acl_chmod(acl, len, mode) == 0); /* to what it says: nothing changes */
        assert(memcmp(acl, data + 2, len) == 0);
        assert(pfs_acl_chmod(acl, len, want) == 0);
        assert(pfs_acl_to_mode(acl, len, &again, &still) == 0);
        assert(again == (before | want) && still == minimal);
    }
    free(acl);
    return 0;
}
