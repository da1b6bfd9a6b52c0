#!/bin/bash
# What mount.pagefs refuses, and how a mount ends: signals, umount, a stopped daemon.
# sanitizers: yes
# shellcheck disable=SC2317 # called by name
. "$(dirname "$0")/lib.sh"
need_mounts

V=$T/vol M=$T/mnt
mkdir -p "$M" "$T/other"
ok 'a volume is made' mkvol "$V"

# ---- refused -------------------------------------------------------------------------------------

refused() {
    local name=$1 pattern=$2
    shift 2
    run timeout 30 mount.pagefs "$@"
    if test "$code" -gt 0 && test "$code" -lt 124; then
        like "$err" "$pattern" "$name: refused, and says why"
    else
        fail "$name: exit code $code"
    fi
}

refused 'no such volume' 'nowhere' "$T/nowhere" "$M"
refused 'not a volume' 'not a pagefs volume' "$T/other" "$M"
refused 'no such mountpoint' 'nowhere' "$V" "$T/nowhere"
: >"$T/file"
refused 'a file as mountpoint' '[Nn]ot a directory' "$V" "$T/file"
refused 'an unknown option' 'nonsense' "$V" "$M" -o nonsense
refused 'an unknown branch' "no branch 'nope'" "$V" "$M" -o branch=nope
refused 'a bad value' 'cache=' "$V" "$M" -o cache=maybe
ok 'nothing was mounted by all that' test -z "$(ls -A "$M")"

# ---- in use --------------------------------------------------------------------------------------

ok 'it mounts' mount_vol "$V" "$M" -o branch=main
pid=$(daemon_pid "$V")
refused 'a second writer' "in use by pid=$pid host=" "$V" "$T/other" -o branch=main
like "$(cat "$V/lock")" "pid=$pid" 'the refusal left the lock file alone'
refused 'a reader beside the writer' "pid=$pid" "$V" "$T/other" -o branch=main,ro
ok 'another volume is made' mkvol "$T/vol2"
refused 'a mountpoint in use' 'in use' "$T/vol2" "$M"

# ---- read-only -----------------------------------------------------------------------------------

echo content >"$M/file"
ok 'it is unmounted' umount_vol "$M"
ok 'it mounts read-only' mount_vol "$V" "$M" -o branch=main,ro
spawn_ro=$(pgrep -f "mount.pagefs $V $M" | head -n1)
test -z "$spawn_ro" || { daemon_of[$M]=$spawn_ro started+=("$spawn_ro"); }
is "$(cat "$M/file")" content 'and reads'
run touch "$M/new"
like "$err" 'Read-only' 'but does not write'
ok 'it is unmounted again' umount_vol "$M"

# ---- a stopped daemon ----------------------------------------------------------------------------

ok 'it mounts once more' mount_vol "$V" "$M" -o branch=main
pid=$(daemon_pid "$V")
kill -STOP "$pid"
spawn dd if=/dev/zero of="$M/slow" bs=64k count=64 conv=fsync
dd=$!
run timeout 1 stat "$M/never-asked-for"
is "$code" 124 'nobody answers while the daemon is stopped'
kill -CONT "$pid"
ok 'everything goes on when it is resumed' wait "$dd"
is "$(stat -c %s "$M/slow")" $((64 * 65536)) 'and is complete'

# ---- ends ----------------------------------------------------------------------------------------

# writer FILE LOG: appends numbered lines, each synced before it is noted outside. It stands in the
# mount: when that is gone, it must not go on in the directory beneath.
writer() {
    local i
    cd "$M" || return
    for ((i = 1; i < 100000; i++)); do
        dd if=<(printf '%08d\n' "$i") of="$1" oflag=append conv=notrunc,fsync status=none \
            2>/dev/null || return 0
        echo "$i" >>"$2" # appended: a kill in between must not empty it
    done
}

# all_there FILE LOG: every line that was noted is in the file, in order, whole.
all_there() {
    local noted
    noted=$(wc -l <"$2")
    test "$noted" -gt 0 && test "$(wc -l <"$1")" -ge "$noted" &&
        cmp <(head -n "$noted" "$1") <(seq -f %08.0f "$noted")
}

under_load() {
    local name=$1 end=$2
    rm -f "$T/noted"
    spawn writer "lines.$name" "$T/noted"
    local id=$!
    wait_for 20 test -s "$T/noted" || bail "$name: the writer does not get anywhere"
        "$end"
    kill "$id" 2>/dev/null # a lazily unmounted filesystem lives as long as somebody stands in it
    wait "$id"
    wait_for 30 gone "$pid" || fail "$name: the daemon is still there"
    umount -l "$M" 2>/dev/null
    ok "$name: it mounts again" mount_vol "$V" "$M" -o branch=main
    pid=$(daemon_pid "$V")
    ok "$name: all that was synced is there" all_there "$M/lines.$name" "$T/noted"
}

term() { kill -TERM "$pid"; }
lazy() { umount -l "$M"; }
killed() { kill -KILL "$pid"; }
under_load SIGTERM term
under_load umount lazy
under_load SIGKILL killed

ok 'it is unmounted at the end' umount_vol "$M"
ok 'the volume is clean' pagefs check "$V"

# ---- in the foreground ---------------------------------------------------------------------------

spawn mount.pagefs -f "$V" "$M" -o branch=main
pid=$!
ok '-f: it is mounted' wait_for 20 mountpoint -q "$M"
ok '-f: the process is the daemon' test "$(daemon_pid "$V")" = "$pid"
ok '-f: it is unmounted' umount "$M"
wait "$pid"
is $? 0 '-f: it ends with 0'

done_testing
