#include "fs/pages/delta.h"

#include <string.h>

#include "base/bytes.h"

#define RANGE_HEADER 4
#define GAP          16 /* equal bytes that are worth a new range */

/* The first difference at or after at; page_size if there is none. */
static size_t differs_at(const unsigned char *x, const unsigned char *y, size_t at, size_t size)
{
    while (at + 8 <= size && pfs_get64(x + at) == pfs_get64(y + at))
        at += 8;
    while (at < size && x[at] == y[at])
        at++;
    return at;
}

/* The end of the range that starts different at `at`: GAP equal bytes follow it, or the page
 * ends. */
static size_t range_end(const unsigned char *x, const unsigned char *y, size_t at, size_t size)
{
    size_t end = at + 1;

    for (;;) {
        size_t next;

        while (end < size && x[end] != y[end])
            end++;
        next = differs_at(x, y, end, size);
        if (next == size || next - end >= GAP)
            return end;
        end = next + 1;
    }
}

size_t pfs_delta_encode(const void *old_page, const void *new_page, size_t page_size, void *out,
                        size_t cap)
{
    const unsigned char *x = old_page, *y = new_page;
    unsigned char *o = out;
    size_t len = 0;
    size_t at = differs_at(x, y, 0, page_size);

    if (at == page_size) {
        if (cap < RANGE_HEADER)
            return 0;
        memset(o, 0, RANGE_HEADER);
        return RANGE_HEADER;
    }
    while (at < page_size) {
        size_t end = range_end(x, y, at, page_size);

        if (end - at > UINT16_MAX || cap - len < RANGE_HEADER ||
            cap - len - RANGE_HEADER < end - at)
            return 0;
        pfs_put16(o + len, (uint16_t)at);
        pfs_put16(o + len + 2, (uint16_t)(end - at));
        memcpy(o + len + RANGE_HEADER, y + at, end - at);
        len += RANGE_HEADER + (end - at);
        at = differs_at(x, y, end, page_size);
    }
    return len;
}

int pfs_delta_apply(void *page, size_t page_size, const void *delta, size_t len)
{
    const unsigned char *d = delta;

    while (len > 0) {
        size_t off, n;

        if (len < RANGE_HEADER)
            return pfs_fail(PFS_ECORRUPT, "a page delta ends inside a range");
        off = pfs_get16(d);
        n = pfs_get16(d + 2);
        if (n > len - RANGE_HEADER || off + n > page_size)
            return pfs_fail(PFS_ECORRUPT, "a page delta reaches outside its page");
        memcpy((unsigned char *)page + off, d + RANGE_HEADER, n);
        d += RANGE_HEADER + n;
        len -= RANGE_HEADER + n;
    }
    return 0;
}
