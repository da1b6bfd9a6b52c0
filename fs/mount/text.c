#include "fs/mount/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct pfs_text *text, const char *piece, size_t len)
{
    if (!text->err)
        text->err = pfs_buf_add(text->buf, piece, len);
}

void pfs_text_add(struct pfs_text *text, const char *piece)
{
    add(text, piece, strlen(piece));
}

void pfs_text_add_escaped(struct pfs_text *text, const char *piece)
{
    for (; *piece; piece++) {
        if (*piece == ',' || *piece == '\\')
            add(text, "\\", 1);
        add(text, piece, 1);
    }
}

void pfs_text_printf(struct pfs_text *text, const char *fmt, ...)
{
    char piece[128];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(piece, sizeof(piece), fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof(piece));
    add(text, piece, (size_t)n);
}
