# shellcheck shell=bash
# The filesystems that are compared. All lie on one disk: ext4 is the disk's own if it has one,
# the others live in files on it (loop devices with direct I/O, so nothing is cached twice).
#
# ${root[SYSTEM]} is the directory where a system's files go.

declare -A root
systems=()

# device_sectors: sectors of 512 bytes that the disk below $T has been told to write
device_sectors() {
    local number
    number=$(stat -c %d "$T")
    awk '{ print $7 }' "/sys/dev/block/$((number >> 8 & 0xfff)):$((number & 0xff))/stat"
}

set_up_pagefs() {
    mkvol "$T/volume" && mount_pagefs
}

mount_pagefs() {
    mount_vol "$T/volume" "$T/pagefs" -o branch=main
}

# set_up_loop SYSTEM MKFS…
set_up_loop() {
    local system=$1 device
    shift
    grep -qw "$system" /proc/filesystems || modprobe "$system" 2>/dev/null || return
    command -v "$1" >/dev/null || return
    fallocate -l "${BENCH_LOOP_GIB:-8}G" "$T/$system.image" || return
    "$@" "$T/$system.image" >"$T/mkfs.$system.log" 2>&1 || return
    device=$(losetup --direct-io=on --show -f "$T/$system.image") || return
    mount -t "$system" "$device" "$T/$system" 2>"$T/mount.$system.log"
    local code=$?
    losetup -d "$device" # when it is unmounted
    return $code
}

set_up_ext4() {
    test "$(stat -f -c %T "$T")" = ext2/ext3 || set_up_loop ext4 mkfs.ext4 -q -F
}
set_up_xfs() { set_up_loop xfs mkfs.xfs -q; }
set_up_btrfs() { set_up_loop btrfs mkfs.btrfs -q; }

# set_up SYSTEM…: those that can be had here
set_up() {
    local system
    for system in "$@"; do
        mkdir -p "$T/$system"
        if "set_up_$system"; then
            systems+=("$system")
            root[$system]=$T/$system
        elif test "$system" = pagefs; then
            die "pagefs does not come up"
        else
            note "no $system here: left out"
        fi
    done
}
