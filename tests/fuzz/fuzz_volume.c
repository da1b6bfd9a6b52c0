/* Any bytes as the file `volume` of a volume. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/pages/volume.h"
#include "tests/fuzz/mend_sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[256], file[300];

static void clean_up(void)
{
    unlink(file);
    rmdir(dir);
}

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%.200s/pagefs-fuzz.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        abort();
    snprintf(file, sizeof(file), "%s/volume", dir);
    atexit(clean_up);
}

static void put(const char *text, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        abort();
    close(fd);
}

static void use(struct pfs_volume *volume)
{
    const struct pfs_volume_info *info = pfs_volume_info(volume);
    struct pfs_store_config config;
    char branch_dir[64];

    assert(info->page_size >= PFS_PAGE_SIZE_MIN && info->page_size <= PFS_PAGE_SIZE_MAX);
    assert(info->n_branches > 0 && info->n_branches <= PFS_BRANCHES_MAX);
    for (unsigned i = 0; i < info->n_branches; i++) {
        const struct pfs_branch_ref *found;

        assert(pfs_volume_find_branch(volume, info->branches[i].name, &found) == 0);
        pfs_volume_store_config(volume, found, &config, branch_dir);
        assert(strncmp(branch_dir, "branches/", 9) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pfs_volume *volume;
    size_t len;
    char *text = mend_sealed("pagefs-volume", data, size, &len);

    if (!dir[0])
        make_dir();
    put(text, len);
    free(text);
    if (!pfs_volume_open(dir, PFS_VOLUME_PEEK, 0, &volume)) {
        use(volume);
        pfs_volume_close(volume);
    } else {
        assert(strstr(pfs_err_message(), dir));
    }
    return 0;
}
