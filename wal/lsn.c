#include "wal/lsn.h"

#include <stdio.h>
#include <string.h>

struct pfs_lsn_str pfs_lsn_print(pfs_lsn lsn)
{
    struct pfs_lsn_str str;

    snprintf(str.s, sizeof(str.s), "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return str;
}

/* One to eight hexadecimal digits. Returns how many, or 0. */
static int parse_half(const char *text, uint32_t *out)
{
    uint32_t value = 0;
    int n = 0;

    for (; n < 9; n++) {
        char c = text[n];

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            value = value << 4 | (uint32_t)(c - 'A' + 10);
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else
            break;
    }
    *out = value;
    return n <= 8 ? n : 0;
}

int pfs_lsn_parse(const char *text, pfs_lsn *lsn_out)
{
    uint32_t high, low;
    int n = parse_half(text, &high);

    if (n > 0 && (text[n] == '/' || text[n] == '-')) {
        int m = parse_half(text + n + 1, &low);

        if (m > 0 && text[n + 1 + m] == '\0') {
            *lsn_out = (pfs_lsn)high << 32 | low;
            return 0;
        }
    }
    return pfs_fail(PFS_EINVAL, "'%.40s' is not an LSN (as in 0/16B3748)", text);
}
