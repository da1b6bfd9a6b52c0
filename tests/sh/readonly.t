#!/bin/bash
# sanitizers: yes
# A volume that can't be written: on a read-only filesystem it can be mounted with -o ro, after a
# crash as well; and mount(8) with the options of an fstab.
. "$(dirname "$0")/lib.sh"
need_mounts
need unshare

v=$T/v m=$T/m locked=$T/locked
mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o branch=main,memtable=1,flush_journal=1 || bail 'no mount'
head -c 3000000 /dev/urandom >"$T/good"
cp "$T/good" "$m/file"
sync "$m/file"
kill9_daemon "$v"
umount_vol "$m"

mkdir "$locked"
mount --bind "$v" "$locked" && mount -o remount,bind,ro "$locked" || lacking 'needs bind mounts'
listing() { find "$v" -type f -printf '%P %s %T@ %C@\n' | sort; }
before=$(listing)

run mount.pagefs "$locked" "$m" -o branch=main
is "$code" 32 'a volume on a read-only filesystem is not mounted for writing'
like "$err" 'locked.*[Rr]ead-only|[Rr]ead-only.*locked' '... and it says why'
run mount.pagefs "$locked" "$m" -o branch=main,ro
is "$code" 0 'with -o ro it is' || diag "$err"
ok '... and the journal that the crash left is read' cmp "$T/good" "$m/file"
run touch "$m/new"
like "$err" 'Read-only' '... but not written'
ok '... and it is unmounted' umount "$m"
ok '... and can be checked there' wait_for 20 pagefs check "$locked"
is "$(listing)" "$before" 'nothing has changed'
umount "$locked"

# mount(8) looks for its helper in /sbin alone: a mount namespace has one there.
if test ! -e /sbin/mount.pagefs; then
    mkdir "$T/upper"
fi
# shellcheck disable=SC2016 # expanded by the inner shell
run unshare --mount bash -c '
    set -e
    if test ! -e /sbin/mount.pagefs; then
        mount -t tmpfs tmpfs "$1/upper"
        mkdir "$1/upper/u" "$1/upper/w"
        mount -t overlay overlay -o "lowerdir=/usr/sbin,upperdir=$1/upper/u,workdir=$1/upper/w" \
            /usr/sbin
        ln -s "$(command -v mount.pagefs)" /usr/sbin/mount.pagefs
    fi
    echo "namespace is made"
    echo "$2 $3 pagefs branch=main,noatime,noauto,nofail,x-systemd.automount 0 0" >"$1/fstab"
    mount -T "$1/fstab" "$3"
    findmnt -no FSTYPE,OPTIONS "$3"
    cmp "$1/good" "$3/file"
    umount "$3"' _ "$T" "$v" "$m"
if [[ $out != *'namespace is made'* ]]; then
    diag "######## mount(8) with an fstab is NOT TESTED: $err"
    skip 'mount(8) with an fstab' 'no helper in /sbin and no way to put one there'
else
    is "$code" 0 'mount(8) with an fstab' || diag "$err"
    like "$out" 'fuse.*noatime' '... and its options hold'
fi
ok 'the volume is clean' wait_for 20 pagefs check "$v"

done_testing
