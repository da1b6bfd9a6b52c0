#include "tests/lib/golden.h"

#include <stdio.h>

static FILE *open_golden(const char *name, const char *mode)
{
    char path[256];

    snprintf(path, sizeof(path), "tests/unit/golden/%s", name);
    return fopen(path, mode);
}

size_t golden_read(const char *name, void *buf, size_t max)
{
    FILE *file = open_golden(name, "rb");
    size_t len;

    if (!file)
        return 0;
    len = fread(buf, 1, max, file);
    fclose(file);
    return len;
}

int golden_write(const char *name, const void *data, size_t len)
{
    FILE *file = open_golden(name, "wb");
    size_t done;

    if (!file)
        return -1;
    done = fwrite(data, 1, len, file);
    return fclose(file) == 0 && done == len ? 0 : -1;
}
