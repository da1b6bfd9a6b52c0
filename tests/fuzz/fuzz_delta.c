/* Any bytes as a page delta; and any two pages, the delta between which makes one of the other. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fs/pages/delta.h"

#define PAGE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply_any(const uint8_t *data, size_t size)
{
    unsigned char *page = calloc(1, PAGE);
    int err;

    if (!page)
        abort();
    err = pfs_delta_apply(page, PAGE, data, size);
    assert(err == 0 || err == PFS_ECORRUPT);
    free(page);
}

/* The first half of the input is strewn over one page, the second over the other. */
static void make_pages(const uint8_t *data, size_t size, unsigned char *old_page,
                       unsigned char *new_page)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        at = (at + data[i] * 7u + 1) % PAGE;
        if (i < size / 2)
            old_page[at] = new_page[at] = data[i];
        else
            new_page[at] = (unsigned char)(data[i] + 1);
    }
}

static void there_and_back(const uint8_t *data, size_t size, size_t cap)
{
    unsigned char *old_page = calloc(1, PAGE), *new_page = calloc(1, PAGE);
    unsigned char *delta = malloc(cap ? cap : 1);
    size_t len;

    if (!old_page || !new_page || !delta)
        abort();
    make_pages(data, size, old_page, new_page);
    len = pfs_delta_encode(old_page, new_page, PAGE, delta, cap);
    assert(len <= cap);
    if (len > 0) {
        assert(pfs_delta_apply(old_page, PAGE, delta, len) == 0);
        assert(memcmp(old_page, new_page, PAGE) == 0);
    }
    free(old_page);
    free(new_page);
    free(delta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apply_any(data, size);
    there_and_back(data, size, PAGE / 2);
    if (size > 0)
        there_and_back(data, size, data[0]);
    return 0;
}
