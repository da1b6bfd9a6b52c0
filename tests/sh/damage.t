#!/bin/bash
# Damage of every kind in every file of a volume: the mount is refused and says which file it is,
# and changes nothing; or it is found when it is read, and then it is EIO and never wrong data.
# shellcheck disable=SC2317 # functions that are called by name
. "$(dirname "$0")/lib.sh"
need_mounts
need jq cmp
reseal=${PAGEFS_TEST_TOOLS:?is set by the Makefile}/reseal

v=$T/v m=$T/m copy=$T/copy
segment_bytes=$((16 << 20))

# flip FILE OFFSET: one bit of it.
flip() {
    local byte
    byte=$(od -An -tu1 -j"$2" -N1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 16)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# zero FILE FROM [BYTES]: from there, to the end if it isn't said how many.
zero() {
    dd if=/dev/zero of="$1" bs=4096 seek="$2" oflag=seek_bytes conv=notrunc status=none \
        iflag=count_bytes count="${3-$(($(stat -c %s "$1") - $2))}"
}

zero_all() { zero "$1" 0; }

# in_segment LSN: its offset in the segment that holds it.
in_segment() {
    local lsn=$((16#${1#*/}))
    echo $((4096 + lsn % segment_bytes))
}

lsn_segment() {
    local lsn=$((16#${1#*/}))
    printf 'branches/1/journal/%016x.seg' $((lsn - lsn % segment_bytes))
}

listing() { find "$1" -type f ! -name lock -printf '%P %s %T@\n' | sort; }

# refused NAME REGEX EXIT COMMAND…: after the command in a copy of $v, it can't be mounted, which
# says why and changes nothing, and `pagefs check` says the same with that exit code.
refused() {
    local name=$1 regex=$2 wanted=$3 before mode
    shift 3
    rm -rf "$copy"
    cp -a --sparse=always "$v" "$copy"
    (cd "$copy" && "$@") || fail "$name: cannot do it"
    before=$(listing "$copy")
    mkdir -p "$m"
    for mode in rw ro; do
        run mount.pagefs "$copy" "$m" -o "branch=main,$mode"
        if test "$code" != 32 || ! [[ $err =~ $regex ]]; then
            fail "$name: a $mode mount is refused"
            diag "exit code $code, on standard error: $err"
            mountpoint -q "$m" && daemon_of[$m]=$(daemon_pid "$copy") && umount_vol "$m"
            return
        fi
    done
    is "$(listing "$copy")" "$before" "$name: the mount is refused, and changes nothing"
    run pagefs check "$copy"
    is "$code" "$wanted" "$name: check exits with $wanted"
    like "$out $err" "$regex" '... and says what it is'
}

# ---- a volume with layers, and one with two segments of journal past them ------------------------

mkvol "$T/other" || bail 'no volume'
mount_vol "$T/other" "$m" -o branch=main,flush_journal=1,memtable=1 || bail 'no mount'
head -c 3500000 /dev/urandom >"$m/other"
umount_vol "$m"

flushes() { pagefs status --json "$v" | jq -e ".branches[0].store.flushes >= $1"; }

mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o branch=main,flush_journal=1,memtable=1 || bail 'no mount'
head -c 1000000 /dev/urandom >"$T/good"
cp "$T/good" "$m/first"
head -c 500000 /dev/urandom >"$m/more"
sync "$m/more"
wait_for 20 flushes 1 || bail 'nothing is flushed'
cp "$v/branches/1/manifest" "$T/manifest.old"
head -c 2000000 /dev/urandom >"$m/second"
sync "$m/second"
wait_for 20 flushes 3 || bail 'nothing is flushed'
umount_vol "$m"
cp -a --sparse=always "$v" "$T/small"
mount_vol "$v" "$m" -o branch=main || bail 'no mount'
head -c $((segment_bytes + 6000000)) /dev/urandom >"$m/third"
sync "$m/third"
cp "$T/good" "$m/last"
umount_vol "$m"

layer=branches/1/layers/0000000000000001.delta
mapfile -t segments < <(cd "$v" && find branches/1/journal -name '*.seg' | sort)
segment=${segments[0]}
pagefs journal dump --json "$v" --from "$(pagefs status --json "$v" |
    jq -r .branches[0].store.flushed)" >"$T/dump"
lsn=$(jq -r 'select(.op == "write").lsn' "$T/dump" | sed -n 20p)
is "$(lsn_segment "$lsn")" "$segment" 'the journal past the flush begins in its first segment'
at=$(in_segment "$lsn")
ok 'and the volume is whole' pagefs check "$v"

# ---- the volume file -----------------------------------------------------------------------------

refused 'volume: a flipped bit' 'copy: volume: checksum mismatch' 4 flip volume 100
refused 'volume: short' 'copy: volume: ' 4 truncate -s -5 volume
refused 'volume: empty' 'copy: volume: not a pagefs-volume file' 4 truncate -s 0 volume
refused 'volume: zeros' 'copy: volume: not a pagefs-volume file' 4 zero_all volume
refused 'volume: missing' 'not a pagefs volume' 8 rm volume
refused 'volume: foreign' 'belongs to another volume' 4 cp "$T/other/volume" volume
refused 'volume: newer' 'volume: .*newer than this program knows' 8 sed -i '1s/ 1 / 2 /' volume

# ---- the manifest --------------------------------------------------------------------------------

manifest=branches/1/manifest
refused 'manifest: a flipped bit' "$manifest: checksum mismatch" 4 flip $manifest 100
refused 'manifest: short' "$manifest: " 4 truncate -s -5 $manifest
refused 'manifest: empty' "$manifest: not a pagefs-manifest file" 4 truncate -s 0 $manifest
refused 'manifest: zeros' "$manifest: not a pagefs-manifest file" 4 zero_all $manifest
refused 'manifest: missing' "$manifest is missing" 4 rm $manifest
refused 'manifest: foreign' "$manifest belongs to another volume" 4 \
    cp "$T/other/$manifest" $manifest
refused 'manifest: of another branch' "$manifest belongs to branch 7" 4 \
    bash -c "sed -i 's/\"branch\": 1/\"branch\": 7/' $manifest && '$reseal' sealed $manifest"
refused 'manifest: newer' "$manifest: .*newer than this program knows" 8 \
    sed -i '1s/ 1 / 2 /' $manifest

# An older manifest with all of the journal since then is no damage.
rm -rf "$copy"
cp -a --sparse=always "$T/small" "$copy"
cp "$T/manifest.old" "$copy/$manifest"
if mount_vol "$copy" "$m" -o branch=main; then
    ok 'manifest: an older one, and the journal since then' cmp "$T/good" "$m/first"
    is "$(stat -c %s "$m/second")" 2000000 '... and nothing is lost'
    umount_vol "$m"
else
    fail 'manifest: an older one, and the journal since then'
fi
ok '... and the volume is clean' pagefs check "$copy"

# ---- layers --------------------------------------------------------------------------------------

other_layer=branches/1/layers/0000000000000002.delta
refused 'layer: short' "$layer: " 4 truncate -s -100 $layer
refused 'layer: cut to its beginning' "$layer: truncated" 4 truncate -s 100 $layer
refused 'layer: empty' "$layer: " 4 truncate -s 0 $layer
refused 'layer: too long' "$layer: " 4 truncate -s +100 $layer
refused 'layer: zeros' "$layer: " 4 zero_all $layer
refused 'layer: a flipped bit in the footer' "$layer: " 4 \
    flip $layer $(($(stat -c %s "$v/$layer") - 100))
refused 'layer: a flipped bit in the filter' "$layer: .*checksum mismatch" 4 \
    flip $layer $(($(stat -c %s "$v/$layer") - 180))
refused 'layer: missing' "$layer: missing, but the manifest names it" 4 rm $layer
refused 'layer: of another volume' "$layer: .*another volume" 4 cp "$T/other/$layer" $layer
refused 'layer: of another place' "$layer: .*LSN range is another" 4 cp $other_layer $layer
refused 'layer: newer' "$layer: .*newer" 8 "$reseal" layer $layer 2
refused 'layers: none' "layers/[0-9]+.delta: missing, but the manifest names it" 4 \
    rm -r branches/1/layers

# ---- the journal ---------------------------------------------------------------------------------

refused 'journal: a flipped bit in a record' "$segment: .* offset $at " 4 \
    flip "$segment" $((at + 300))
refused 'journal: a flipped bit in its header' "$segment: .* offset $at " 4 \
    flip "$segment" $((at + 4))
refused 'journal: zeros in the midst' "$segment: .* offset" 4 zero "$segment" $((at + 100000)) 50000
refused 'journal: zeros to the end of the segment' "$segment: .* offset $at " 4 \
    zero "$segment" "$at"
refused 'segment: a flipped bit in the header' "$segment: header checksum mismatch" 4 \
    flip "$segment" 20
refused 'segment: short' "$segment: .* bytes long" 4 truncate -s -1 "$segment"
refused 'segment: cut in the middle' "$segment: .* bytes long" 4 truncate -s 8M "$segment"
refused 'segment: empty' "$segment: " 4 truncate -s 0 "$segment"
refused 'segment: too long' "$segment: .* bytes long" 4 truncate -s +4096 "$segment"
refused 'segment: zeros' "$segment: not a journal segment" 4 zero_all "$segment"
refused 'segment: missing' "${segment##*/}: .*missing" 4 rm "$segment"
refused 'segment: the second one missing' "${segments[1]##*/}: .*missing|ends at" 4 \
    rm "${segments[1]}"
refused 'segment: of another volume' "$segment: belongs to another volume" 4 \
    cp "$T/other/$segment" "$segment"
refused 'segment: of another place' "${segments[1]}: holds the journal from LSN" 4 \
    cp "$segment" "${segments[1]}"
refused 'segment: of another branch' "$segment: belongs to branch 7, not 1" 4 \
    "$reseal" segment "$segment" 12 7
refused 'segment: newer' "$segment: .*newer than this program knows" 8 \
    "$reseal" segment "$segment" 8 2
refused 'journal: all segments missing' 'branches/1/journal' 4 \
    bash -c 'rm branches/1/journal/*.seg'
refused 'journal: no directory' 'branches/1/journal' 4 rm -r branches/1/journal
refused 'branch: no directory' 'branches/1/manifest is missing' 4 rm -r branches/1

# ---- the tail: what was not acknowledged may go, what was may not --------------------------------

# A crash with two files synced and two not; again if the sync of every five seconds came between.
lsns=()
crash_with_tail() {
    local durable
    rm -rf "$v"
    cp -a --sparse=always "$T/small" "$v"
    mount_vol "$v" "$m" -o branch=main || bail 'no mount'
    for name in a b; do
        cp "$T/good" "$m/$name"
        sync "$m/$name"
    done
    printf c >"$m/c"
    printf d >"$m/d"
    kill9_daemon "$v"
    umount_vol "$m"
    pagefs journal dump --json "$v" >"$T/dump"
    mapfile -t lsns < <(jq -r 'select(.op == "write").lsn' "$T/dump" | tail -n 3)
    durable=$(jq -r 'select(.op == "write").durable' "$T/dump" | tail -n 1)
    test $((16#${durable#*/})) -le $((16#${lsns[1]#*/}))
}
crash_with_tail || crash_with_tail || crash_with_tail || bail 'no crash with an unsynced tail'
segment=$(lsn_segment "${lsns[2]}")
is "$(lsn_segment "${lsns[0]}")" "$segment" 'the last records stand in one segment'

# prefix NAME WANTED COMMAND…: it mounts, what was synced is there, of c and d this; and it goes on.
prefix() {
    local name=$1 wanted=$2
    shift 2
    rm -rf "$copy"
    cp -a --sparse=always "$v" "$copy"
    (cd "$copy" && "$@") || fail "$name: cannot do it"
    mount_vol "$copy" "$m" -o branch=main,ro || bail "$name: mounts read-only"
    is "$(cd "$m" && cmp "$T/good" a && cmp "$T/good" b && tail -n1 c d 2>/dev/null | xargs)" \
        "$wanted" "$name: read-only, all that was synced is there"
    umount_vol "$m"
    mount_vol "$copy" "$m" -o branch=main || bail "$name: mounts"
    is "$(cd "$m" && cmp "$T/good" a && cmp "$T/good" b && tail -n1 c d 2>/dev/null | xargs)" \
        "$wanted" "$name: all that was synced is there"
    echo more >"$m/more"
    crash_and_mount "$copy" "$m" -o branch=main || bail "$name: mounts again"
    is "$(cat "$m/more")" more '... and it goes on from there'
    umount_vol "$m"
    ok '... and the volume is clean' pagefs check "$copy"
}
end=$((4096 + segment_bytes))
prefix 'tail: nothing' '==> c <== c ==> d <== d' true
prefix 'tail: a flipped bit in the last record' '==> c <== c ==> d <==' \
    flip "$segment" $(($(in_segment "${lsns[2]}") + 90))
prefix 'tail: a flipped bit in one before' '==> c <==' \
    flip "$segment" $(($(in_segment "${lsns[1]}") + 90))
prefix 'tail: zeros from there' '==> c <==' \
    zero "$segment" "$(in_segment "${lsns[1]}")" $((end - $(in_segment "${lsns[1]}")))
at=$(in_segment "${lsns[0]}")
refused 'tail: a flipped bit in what was synced' "$segment: .* offset $at " 4 \
    flip "$segment" $((at + 90))

# ---- damage that comes while it is mounted -------------------------------------------------------

# pages FILE: each page of it is right or can't be read; prints how many are which.
pages() {
    local i right=0 lost=0 wrong=0 err
    for ((i = 0; i * 8192 < $(stat -c %s "$T/good"); i++)); do
        if ! err=$(dd if="$1" of="$T/page" bs=8192 skip=$i count=1 status=none 2>&1); then
            [[ $err == *'Input/output error'* ]] && lost=$((lost + 1)) || wrong=$((wrong + 1))
        elif dd if="$T/good" bs=8192 skip=$i count=1 status=none | cmp -s - "$T/page"; then
            right=$((right + 1))
        else
            wrong=$((wrong + 1))
        fi
    done
    echo "right=$right lost=$lost wrong=$wrong"
}

# eio NAME FILE COMMAND…: the command damages the running mount's volume under FILE, of which some
# pages, not all, are lost then; none is wrong.
eio() {
    local name=$1 file=$2 regex=$3 cache
    shift 3
    for cache in kernel direct; do
        rm -rf "$copy" "$copy.log"
        cp -a --sparse=always "$v" "$copy"
        mount_vol "$copy" "$m" -o "branch=main,block_cache=1,cache=$cache,log=$copy.log" ||
            bail 'no mount'
        (cd "$copy" && "$@") || fail "$name: cannot do it"
        like "$(pages "$m/$file")" 'lost=[1-9][0-9]* wrong=0' \
            "$name: EIO, not wrong data (cache=$cache)"
        like "$(<"$copy.log")" "$regex" '... and the log names it'
        ok '... and it goes on' bash -c "echo more >'$m/more' && sync '$m/more'"
        kill9_daemon "$copy"
        umount_vol "$m"
    done
}
eio 'a layer: a flipped bit' first "$layer: .*offset" flip $layer 300000
eio 'a layer: zeros' first "$layer: .*offset" zero $layer 300000 200000
eio 'a layer: cut' first "$layer: " truncate -s 300000 $layer
eio 'the journal: a flipped bit' b "$segment|journal" flip "$segment" $((at - 300000))

# Opened after the damage: the mount reads no blocks, so it is found by reading, too, and by check.
rm -rf "$copy" "$copy.log"
cp -a --sparse=always "$T/small" "$copy"
flip "$copy/$layer" 300000
mount_vol "$copy" "$m" -o branch=main || bail 'no mount'
like "$(pages "$m/first")" 'right=[1-9][0-9]* lost=[1-9][0-9]* wrong=0' \
    'a layer damaged before the mount: EIO, not wrong data'
umount_vol "$m"
run pagefs check "$copy"
is "$code" 4 '... and check finds it'
like "$out" "$layer: .*offset [0-9]+" '... and says where'

done_testing
