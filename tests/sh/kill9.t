#!/bin/bash
# sanitizers: yes
# kill -9 of the daemon at random moments under load, again and again on one volume: what was
# acknowledged is there, and what was not is there as a whole or not at all. KILLS=n kills n times,
# SEED=n does the same operations again (the moments are the machine's).
. "$(dirname "$0")/lib.sh"
need_mounts
need pgrep
ackcheck=${PAGEFS_TEST_TOOLS:?is set by the Makefile}/ackcheck

kills=${KILLS:-100}
test -z "${SAN-}" || kills=${KILLS:-10}
seed=${SEED:-${SEED_BASE:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}}
RANDOM=$((seed % 32768))
diag "SEED=$seed KILLS=$kills"

# pause MILLISECONDS: the moment is random, nothing is waited for.
pause() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# ---- the checker sees what it must ---------------------------------------------------------------

plain=$T/plain
mkdir "$plain"
ok 'a disk that is not killed' "$ackcheck" write "$plain" "$T/plain.log" "$seed" 0.3
ok '... has what was acknowledged' "$ackcheck" verify "$plain" "$T/plain.log"
file=$(find "$plain" -type f -size +8k | sort | head -n1)

# notices NAME COMMAND…: verify fails after the command.
notices() {
    local name=$1
    shift
    cp "$T/plain.log" "$T/log"
    rm -rf "$T/copy"
    cp -a "$plain" "$T/copy"
    "$@" || fail "$name: cannot do it"
    run "$ackcheck" verify "$T/copy" "$T/log"
    is "$code" 1 "$name is noticed"
}
copy=$T/copy/${file#"$plain/"}
notices 'an acknowledged write that never was' "$ackcheck" forge "$T/log"
notices 'a missing file' rm "$copy"
notices 'a file too many' touch "${copy%/*}/extra"
notices 'a short file' truncate -s -64 "$copy"
notices 'a renamed file' mv "$copy" "${copy%/*}/fx"
notices 'a changed byte' bash -c "printf x | dd of='$copy' bs=1 seek=200 conv=notrunc status=none"
notices 'a block that is half there' dd if=/dev/urandom of="$copy" bs=4096 count=1 conv=notrunc \
    status=none

# ---- the kills -----------------------------------------------------------------------------------

v=$T/v m=$T/m log=$T/acks
options=branch=main,memtable=1,flush_journal=4,log=$v.log # a flush is under way most of the time
mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o "$options" || bail 'no mount'

# The lock may name a process of long ago: only one that serves this volume is killed.
kill_daemon() {
    local id
    id=$(daemon_pid "$v")
    test -z "$id" || ! grep -qsF "$v" "/proc/$id/cmdline" || end_process KILL "$id"
}

# Now and then recovery is killed as well.
kill_recovery() {
    local starter child
    mount.pagefs "$v" "$m" -o "$options" </dev/null >>"$v.log" 2>&1 &
    starter=$!
    pause $((RANDOM % 120))
    mapfile -t child < <(pgrep -P "$starter")
    test ${#child[@]} = 0 || kill -KILL "${child[@]}" 2>/dev/null
    wait "$starter" 2>/dev/null
    kill_daemon
    umount -l "$m" 2>/dev/null
    return 0
}

acknowledged=0 unsure=0 there=0 recoveries=0
# verified NAME: no test of its own if all is well, since there are so many.
verified() {
    if ! out=$("$ackcheck" verify "$m" "$log" 2>&1); then
        diag "$out"
        if test -n "${KEEP-}"; then
            kill_daemon
            cp -a --sparse=always "$v" "$T/failed"
        fi
        bail "$1: what was acknowledged is there"
    fi
    [[ $out =~ acknowledged=([0-9]+)\ begun=([0-9]+)\ there=([0-9]+) ]] || bail "$1: '$out'"
    acknowledged=$((acknowledged + BASH_REMATCH[1]))
    unsure=$((unsure + BASH_REMATCH[2]))
    there=$((there + BASH_REMATCH[3]))
}

for ((i = 1; i <= kills; i++)); do
    "$ackcheck" write "$m" "$log" $((seed + i)) 60 >"$T/write.log" 2>&1 &
    writer=$!
    started+=("$writer")
    pause $((RANDOM % (RANDOM % 4 ? 450 : 60)))
    if ((RANDOM % 8 == 0)); then # in the midst of an orderly end, with the directory in use
        wait_for 20 grep -q works "$T/write.log"
        kill -TERM "$(daemon_pid "$v")"
        pause $((RANDOM % 30))
    fi
    kill_daemon
    wait "$writer"
    code=$?
    if test "$code" != 0; then
        diag "$(<"$T/write.log")" "$(tail -n20 "$v.log")"
        bail "kill $i: the writers see errors"
    fi
    umount -l "$m" 2>/dev/null
    while ((RANDOM % 5 == 0)); do
        kill_recovery
        recoveries=$((recoveries + 1))
    done
    mount_vol "$v" "$m" -o "$options" || bail "kill $i: mounts again"
    verified "kill $i"
    if ((i % 20 == 0 || i == kills)); then
        umount_vol "$m" || bail "kill $i: unmounts"
        ok "after $i kills the volume is clean" pagefs check "$v"
        mount_vol "$v" "$m" -o "$options" || bail "kill $i: mounts again"
        verified "kill $i, and a check"
    fi
done
pass "$kills kills: $acknowledged operations acknowledged, all there;" \
    "$unsure begun, $there of them there; $recoveries recoveries killed"
ok 'many were acknowledged' test "$acknowledged" -gt $((kills * 20))
test "$kills" -lt 50 ||
    ok 'and layers were written' test "$(find "$v/branches" -name '*.delta' | wc -l)" -gt 1
umount_vol "$m"

done_testing
