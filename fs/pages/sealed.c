#include "fs/pages/sealed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"

int pfs_sealed_write(struct pfs_io *io, const char *dir, const char *name, const char *magic,
                     unsigned version, const json_t *doc)
{
    char *body = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
    char *text = NULL;
    int len, err;

    if (!body)
        return pfs_fail(PFS_ENOMEM, "%s: cannot encode", name);
    len = asprintf(&text, "%s %u %zu %016" PRIx64 "\n%s\n", magic, version, strlen(body) + 1,
                   UINT64_C(0), body);
    if (len < 0) {
        free(body);
        return pfs_fail(PFS_ENOMEM, "%s: out of memory", name);
    }
    {
        char *start = strchr(text, '\n') + 1;
        char digits[17];

        snprintf(digits, sizeof(digits), "%016" PRIx64, pfs_checksum(start, strlen(start)));
        memcpy(start - 17, digits, 16);
    }
    err = pfs_io_replace_file(io, dir, name, text, (size_t)len);
    free(body);
    free(text);
    return err;
}

/* Check the first line. *body_out points behind it. */
static int check_seal(const char *name, const char *text, size_t len, const char *magic,
                      unsigned version, const char **body_out, size_t *body_len_out)
{
    const char *eol = memchr(text, '\n', len < 256 ? len : 256);
    size_t body_len, magic_len = strlen(magic);
    uint64_t checksum;
    unsigned found;
    char line[256];

    if (!eol || strncmp(text, magic, magic_len) != 0 || text[magic_len] != ' ')
        return pfs_fail(PFS_ECORRUPT, "%s: not a %s file (damaged at offset 0)", name, magic);
    if (sscanf(text + magic_len, " %u", &found) != 1 || found == 0)
        return pfs_fail(PFS_ECORRUPT, "%s: damaged at offset %zu", name, magic_len);
    if (found > version)
        return pfs_fail(PFS_EVERSION,
                        "%s: format %u is newer than this program knows (%u); use a newer pagefs",
                        name, found, version);
    if (sscanf(text + magic_len, " %u %zu %16" SCNx64, &found, &body_len, &checksum) != 3)
        return pfs_fail(PFS_ECORRUPT, "%s: damaged at offset %zu", name, magic_len);
    snprintf(line, sizeof(line), "%s %u %zu %016" PRIx64 "\n", magic, found, body_len, checksum);
    if (strncmp(text, line, strlen(line)) != 0) /* numbers can be written in more than one way */
        return pfs_fail(PFS_ECORRUPT, "%s: its first line is damaged", name);
    *body_out = eol + 1;
    *body_len_out = len - (size_t)(eol + 1 - text);
    if (*body_len_out != body_len)
        return pfs_fail(PFS_ECORRUPT, "%s: %zu bytes follow its first line, it says %zu", name,
                        *body_len_out, body_len);
    if (pfs_checksum(*body_out, body_len) != checksum)
        return pfs_fail(PFS_ECORRUPT, "%s: checksum mismatch", name);
    return 0;
}

int pfs_sealed_read(struct pfs_io *io, const char *name, const char *magic, unsigned version,
                    json_t **doc_out)
{
    json_error_t json_err;
    const char *body = NULL;
    size_t len, body_len = 0;
    void *text;
    int err = pfs_io_read_file(io, name, PFS_SEALED_MAX, &text, &len);

    if (err)
        return err;
    err = check_seal(name, text, len, magic, version, &body, &body_len);
    if (!err) {
        *doc_out = json_loadb(body, body_len, JSON_REJECT_DUPLICATES, &json_err);
        if (!*doc_out)
            err = pfs_fail(PFS_ECORRUPT, "%s: %s (line %d)", name, json_err.text, json_err.line);
    }
    free(text);
    return err;
}

json_t *pfs_json_hex64(uint64_t value)
{
    char digits[17];

    snprintf(digits, sizeof(digits), "%016" PRIx64, value);
    return json_string(digits);
}

int pfs_json_get_hex64(const json_t *doc, const char *key, uint64_t *out)
{
    const char *text = json_string_value(json_object_get(doc, key));
    char *end;

    if (text && strlen(text) == 16) {
        *out = strtoull(text, &end, 16);
        if (*end == '\0')
            return 0;
    }
    return pfs_fail(PFS_ECORRUPT, "'%s' is missing or no 16 hexadecimal digits", key);
}

int pfs_json_get_uint(const json_t *doc, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(doc, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return pfs_fail(PFS_ECORRUPT, "'%s' is missing or no number", key);
    *out = (uint64_t)json_integer_value(value);
    return 0;
}
