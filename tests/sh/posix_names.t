#!/bin/bash
# sanitizers: yes
# Names and directories, as POSIX and the manual pages have them; the tree is whole afterwards.
. "$(dirname "$0")/lib.sh"
need_mounts

tool=${PAGEFS_TEST_TOOLS:?is set by the Makefile}/posix_names
v=$T/v m=$T/m

for cache in kernel direct; do
    mkvol "$v.$cache" || bail 'no volume'
    mount_vol "$v.$cache" "$m" -o "branch=main,cache=$cache" || bail 'no mount'
    while read -r name; do
        mkdir "$m/$name"
        ok "$name, cache=$cache" timeout 120 "$tool" "$m/$name" "$name"
    done < <("$tool" list)
    ok "unmounted, cache=$cache" umount_vol "$m"
    ok "all is in order, cache=$cache" pagefs check "$v.$cache"
done

done_testing
