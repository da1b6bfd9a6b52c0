#!/bin/bash
# Includes go one way:
#
#     base < wal < consensus        base < objstore        {wal, objstore} < fs/pages
#     fs/pages < fs/tree < fs/mount < tools
#
# A room sees itself and what it stands on, and nothing above. Only fs/mount and the program
# tools/mount.pagefs know FUSE, only objstore knows curl.
set -eu
cd "$(dirname "$0")/../.."

declare -A sees=(
    [base]='base'
    [wal]='base wal'
    [consensus]='base wal consensus'
    [objstore]='base objstore'
    [fs/pages]='base wal consensus objstore fs/pages'
    [fs/tree]='base wal consensus objstore fs/pages fs/tree'
    [fs/mount]='base wal consensus objstore fs/pages fs/tree fs/mount'
    [tools]='base wal consensus objstore fs/pages fs/tree fs/mount tools'
)

faults=0
fault() {
    echo "$1" >&2
    faults=$((faults + 1))
}

shopt -s nullglob
for room in "${!sees[@]}"; do
    for file in "$room"/*.[ch]; do
        while IFS=: read -r line include; do
            at="$file:$line"
            case $include in
            \"*)
                path=${include#?}
                if test ! -e "$path"; then
                    fault "$at: \"$path\" is not a path from the root of the repository"
                elif [[ " ${sees[$room]} " != *" ${path%/*} "* ]]; then
                    fault "$at: $room may not include from ${path%/*}"
                fi
                ;;
            '<fuse'*)
                test "$room" = fs/mount || test "$file" = tools/mount.pagefs.c ||
                    fault "$at: only fs/mount and tools/mount.pagefs.c know FUSE"
                ;;
            '<curl'*)
                test "$room" = objstore || fault "$at: only objstore knows curl"
                ;;
            esac
        done < <(grep -nE '^[[:blank:]]*#[[:blank:]]*include' "$file" |
            sed -E 's/^([0-9]+):[^"<]*(["<][^">]*)[">].*/\1:\2/')
    done
done

if test "$faults" -gt 0; then
    echo "include order: $faults faults" >&2
    exit 1
fi
echo "include order: right"
