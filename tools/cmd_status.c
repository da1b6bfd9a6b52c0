/* pagefs status: what a volume is and how it is. A running mount is asked through its control
 * socket (fs/mount/status.c has the fields); a volume that nobody has mounted is opened read-only
 * and described in the same words, so that there is one JSON for both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fs/mount/control_client.h"
#include "fs/mount/version.h"
#include "fs/pages/stats_json.h"
#include "fs/pages/volume.h"
#include "tools/cmd.h"
#include "tools/cmd_status.h"

#define WAIT_MS 2000 /* for a mount that is just ending */

static int add_branch(struct pfs_volume *volume, const struct pfs_branch_ref *ref, json_t *list)
{
    struct pfs_store_config config;
    struct pfs_store *store;
    json_t *j = json_object();
    char dir[64];
    int err;

    json_object_set_new(j, "name", json_string(ref->name));
    pfs_json_set_uint(j, "id", ref->id);
    pfs_json_set_uint(j, "created_s", ref->created_ns / 1000000000);
    json_array_append_new(list, j);
    pfs_volume_store_config(volume, ref, &config, dir);
    err = pfs_store_open(&config, &store);
    if (err)
        return pfs_context(err, "%s, branch %s", pfs_volume_path(volume), ref->name);
    json_object_set_new(j, "store", pfs_store_stats_json(store));
    return pfs_store_close(store);
}

/* Of a volume that isn't mounted. *out is complete up to what failed. */
static int look(const char *path, json_t **out)
{
    const struct pfs_volume_info *info;
    struct pfs_volume *volume;
    json_t *j, *list;
    char *full;
    int err = pfs_volume_open(path, PFS_VOLUME_READ, WAIT_MS, &volume);

    if (err)
        return err;
    info = pfs_volume_info(volume);
    full = realpath(path, NULL);
    j = json_object();
    json_object_set_new(j, "version", json_string(PFS_VERSION));
    json_object_set_new(j, "volume", json_string(full ? full : path));
    json_object_set_new(j, "uuid", json_string(info->uuid_text));
    pfs_json_set_uint(j, "page_size", info->page_size);
    pfs_json_set_uint(j, "created_s", info->created_ns / 1000000000);
    list = json_array();
    for (unsigned i = 0; i < info->n_branches && !err; i++)
        err = add_branch(volume, &info->branches[i], list);
    json_object_set_new(j, "branches", list);
    pfs_volume_close(volume);
    free(full);
    if (err)
        json_decref(j);
    else
        *out = j;
    return err;
}

/* Of a mounted one: holder is who has it. */
static int ask(struct pfs_volume *volume, const char *holder, json_t **out)
{
    json_error_t json_err;
    char *reply;
    int err = pfs_control_request(pfs_volume_dirfd(volume), "status", &reply);

    if (err)
        return pfs_context(err, "%s is mounted (%s), but can't be asked", pfs_volume_path(volume),
                           holder);
    *out = json_loads(reply, 0, &json_err);
    free(reply);
    if (!json_is_object(*out)) {
        json_decref(*out);
        return pfs_fail(PFS_EIO, "%s: the mount (%s) answered what is no JSON object: %s",
                        pfs_volume_path(volume), holder, json_err.text);
    }
    return 0;
}

static int get_status(const char *path, json_t **out)
{
    struct pfs_volume *volume;
    char holder[512];
    bool mounted;
    int err = pfs_volume_open(path, PFS_VOLUME_PEEK, 0, &volume);

    if (err)
        return err;
    mounted = pfs_volume_holder(volume, holder, sizeof(holder)) == 0;
    if (mounted)
        err = ask(volume, holder, out);
    /* One that ended meanwhile doesn't answer: then it isn't mounted any more. */
    if (err == PFS_ENOENT && pfs_volume_holder(volume, holder, sizeof(holder)))
        mounted = false;
    pfs_volume_close(volume);
    if (!mounted)
        err = look(path, out);
    if (!err)
        json_object_set_new(*out, "mounted", json_boolean(mounted));
    return err;
}

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    CMD_LONG_OPTIONS,
};

static int run(const struct cmd *cmd, int argc, char **argv)
{
    json_t *status = NULL;
    bool json = false;
    const char *path;
    int letter;

    while ((letter = getopt_long(argc, argv, "jhV", long_options, NULL)) != -1) {
        if (letter != 'j')
            return cmd_other_option(cmd, argv, letter);
        json = true;
    }
    path = cmd_volume(cmd, argc, argv);
    if (!path)
        return cmd->usage_code;
    if (get_status(path, &status))
        return cmd_fail(argv, CMD_FAILED);
    if (json)
        return cmd_print_json(argv, status, false);
    cmd_status_print(status);
    json_decref(status);
    return CMD_OK;
}

const struct cmd cmd_status = {
    .name = "status",
    .summary = "LSNs, sizes, counters, who has it mounted",
    .usage = "VOLUME [--json]",
    .help = "Say what a volume is and how it is doing: of a mounted one the mount is asked, any\n"
            "other is opened read-only.\n"
            "\n"
            "  -j, --json  print all that is known as JSON; numbers are bytes, counts or as named\n"
            "\n"
            "Exit codes: 0 said, 1 not to be had, 2 wrong usage.\n",
    .usage_code = CMD_USAGE,
    .failed_code = CMD_FAILED,
    .run = run,
};
