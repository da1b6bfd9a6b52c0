#!/bin/bash
# sanitizers: yes
# The command line: what it says, and its exit codes on every kind of bad input.
. "$(dirname "$0")/lib.sh"
need_mounts
need jq setfattr setpriv

# fails CODE REGEX NAME COMMAND…: that exit code, and that on standard error.
fails() {
    local wanted=$1 regex=$2 name=$3
    shift 3
    run "$@"
    if test "$code" = "$wanted" && [[ $err =~ $regex ]]; then
        pass "$name"
    else
        fail "$name"
        diag "exit code $code (not $wanted), on standard error: $err"
        test -z "$out" || diag "on standard output: $out"
    fi
}

# says CODE REGEX NAME COMMAND…: that exit code, and that on standard output.
says() {
    local wanted=$1 regex=$2 name=$3
    shift 3
    run "$@"
    if test "$code" = "$wanted" && [[ $out =~ $regex ]]; then
        pass "$name"
    else
        fail "$name"
        diag "exit code $code (not $wanted), on standard output: $out"
        test -z "$err" || diag "on standard error: $err"
    fi
}

# json FILTER WANTED NAME COMMAND…: what jq makes of its standard output.
json() {
    local filter=$1 wanted=$2 name=$3
    shift 3
    run "$@"
    is "$(jq -cr "$filter" <<<"$out" 2>&1)" "$wanted" "$name"
}

# flip FILE OFFSET: one bit of it.
flip() {
    local byte
    byte=$(od -An -tu1 -j"$2" -N1 "$1")
    printf '%b' "\\x$(printf %x $((byte ^ 16)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ---- help ----------------------------------------------------------------------------------------

says 0 'init.*status.*check.*journal dump' 'pagefs --help lists the commands' pagefs --help
says 0 'Usage: pagefs COMMAND' 'pagefs help' pagefs help
says 0 '^pagefs [0-9]' 'pagefs --version' pagefs --version
for command in init status check 'journal dump'; do
    # shellcheck disable=SC2086
    says 0 "Usage: pagefs $command VOLUME.*Exit codes" "pagefs $command --help" \
        pagefs $command --help
    # shellcheck disable=SC2086
    says 0 "Usage: pagefs $command VOLUME" "pagefs help $command" pagefs help $command
done
says 0 'Usage: mkfs.pagefs VOLUME' 'mkfs.pagefs --help' mkfs.pagefs --help
says 0 'Usage: fsck.pagefs VOLUME' 'fsck.pagefs --help' fsck.pagefs --help
says 0 '^pagefs [0-9]' 'mkfs.pagefs -V' mkfs.pagefs -V

fails 2 'a command is missing.*--help' 'no command' pagefs
fails 2 "no command 'frobnicate'" 'unknown command' pagefs frobnicate
fails 2 "there is 'journal dump'" 'half a command' pagefs journal
fails 2 "unrecognized option '--frob'.*pagefs status --help" 'unknown option' pagefs status --frob
fails 2 'which volume' 'no volume' pagefs status
fails 2 "'b' is one operand too many" 'two volumes' pagefs status a b
fails 2 'which volume' 'mkfs.pagefs without a volume' mkfs.pagefs
fails 16 'which volume' 'fsck.pagefs without a volume' fsck.pagefs
fails 16 'unrecognized option' 'fsck.pagefs with an unknown option' fsck.pagefs --repair x
fails 1 'cannot write' 'a full standard output' bash -c 'pagefs --help >/dev/full'

# ---- init ----------------------------------------------------------------------------------------

v=$T/v
says 0 'uuid +[0-9a-f-]{36}.*page size +8 KiB.*branch +main' 'init says what it made' \
    pagefs init "$v"
before=$(cat "$v/volume" && ls -R "$v")
fails 1 'already holds a pagefs volume' 'a second init is refused' pagefs init "$v"
is "$(cat "$v/volume" && ls -R "$v")" "$before" '... and has changed nothing'

mkdir "$T/full" "$T/empty"
echo x >"$T/full/a file"
fails 1 "not empty .it holds 'a file'" 'a directory with something else' pagefs init "$T/full"
is "$(ls "$T/full")" 'a file' '... is left as it is'
mkdir "$T/empty/lost+found"
ok 'lost+found may be there' pagefs init "$T/empty"
fails 1 'No such file or directory' 'no parent directory' pagefs init "$T/none/v"
fails 1 'directory' 'a file in place of the directory' pagefs init "$T/full/a file"
for size in 0 5000 2048 131072 128k -8192 8kb x '' 18446744073709559808; do
    fails 2 'it is 4096, 8192' "page size '$size'" pagefs init "$T/bad" "--page-size=$size"
done
ok '... has made no directory' test ! -e "$T/bad"
for size in 4096 16k 64KiB; do
    ok "page size $size" pagefs init -q --page-size "$size" "$T/v$size"
done
json .page_size 65536 '... is in the status' pagefs status --json "$T/v64KiB"
outputs 'init --quiet says nothing' '' pagefs init --quiet "$T/quiet"
if test "$(command -v mkfs)"; then
    ok 'mkfs(8) finds it' mkfs -t pagefs "$T/by-mkfs"
fi

# ---- a volume that is there, not mounted ---------------------------------------------------------

says 0 'page size +8 KiB.*mounted +not.*branch main.*head +0/1000000' 'status of a new volume' \
    pagefs status "$v"
json '[.mounted, .page_size, .branches[0].name, .branches[0].store.head]' \
    '[false,8192,"main","0/1000000"]' '... as JSON' pagefs status --json "$v"
says 0 'clean: 0 inodes' 'check of a new volume' pagefs check "$v"
says 0 'end at LSN 0/1000000 after 0 records' 'its journal' pagefs journal dump "$v"

for command in status check 'journal dump'; do
    wanted=1
    test "$command" != check || wanted=8
    # shellcheck disable=SC2086
    fails $wanted 'No such file or directory' "$command: no such directory" \
        pagefs $command "$T/none"
    # shellcheck disable=SC2086
    fails $wanted 'not a pagefs volume' "$command: not a volume" pagefs $command "$T/full"
    # shellcheck disable=SC2086
    fails $wanted 'directory' "$command: a file" pagefs $command "$T/full/a file"
done
fails 1 'ermission denied' 'status: somebody else' \
    setpriv --reuid=65534 --clear-groups "$(command -v pagefs)" status "$v"

# ---- mounted -------------------------------------------------------------------------------------

m=$T/m
mount_vol "$v" "$m" -o branch=main,flush_journal=1 || bail 'no mount'
mkdir "$m/dir"
head -c 3000000 /dev/urandom >"$m/dir/data"
ln -s data "$m/dir/link"
touch "$m/with \"quotes\""
setfattr -n user.colour -v blue "$m/dir/data"
ln "$m/dir/data" "$m/second name"
sync -f "$m"
pid=$(daemon_pid "$v")

says 0 "mounted +on $m .*process $pid on host" 'status names the mount and its process' \
    pagefs status "$v"
json '[.mounted, .pid, .mountpoint]' "[true,$pid,\"$m\"]" '... as JSON' pagefs status --json "$v"
says 0 'requests.* write [0-9]' '... and counts requests' pagefs status "$v"
fails 8 "in use by pid=$pid host=[^ ]+ mount=$m" 'check names the holder' pagefs check "$v"
fails 8 "in use by pid=$pid" 'fsck.pagefs too' fsck.pagefs -a "$v"
json '[.complete, .clean, .exit_code]' '[false,false,8]' '... as JSON' pagefs check --json "$v"
fails 1 'in use|already' 'init of a mounted volume' pagefs init "$v"
says 0 'write.*more may follow' 'journal dump beside the mount' pagefs journal dump "$v"

kill -STOP "$pid"
fails 1 "pid=$pid .*can't be asked" 'a mount that is stopped' pagefs status "$v"
kill -CONT "$pid"
says 0 'mounted +on' '... and continued' pagefs status "$v"

kill9_daemon "$v"
umount_vol "$m"
says 0 'mounted +not' 'status after kill -9' pagefs status "$v"
says 0 'clean: 5 inodes .2 directories., 5 entries' 'check after kill -9' pagefs check "$v"
mount_vol "$v" "$m" -o ro,branch=main || bail 'no read-only mount'
says 0 clean 'check beside a read-only mount' pagefs check "$v"
says 0 'mounted +not for writing' 'status beside a read-only mount' pagefs status "$v"
umount_vol "$m"
mount_vol "$v" "$m" -o branch=main || bail 'no mount'
echo more >"$m/after"
umount_vol "$m"

# ---- the journal, record by record ---------------------------------------------------------------

fails 2 'an LSN looks like' 'a bad LSN' pagefs journal dump "$v" --from 12345
fails 2 'an LSN looks like' 'another one' pagefs journal dump "$v" --to 1/2/3
fails 2 'a number of records' 'a bad limit' pagefs journal dump "$v" --limit many
fails 1 "has no branch 'dev'; it has: main" 'no such branch' pagefs journal dump "$v" -b dev
fails 1 'no segment holds LSN 7/0' 'an LSN that is not there' pagefs journal dump "$v" --from 7/0
says 0 'format.*mkdir.*end at LSN' 'all of it' pagefs journal dump "$v"
pagefs journal dump "$v" --json >"$T/dump"
is "$(jq -r 'select(.op).op' "$T/dump" | sort -u | xargs)" \
    'create format link mkdir setattr setxattr symlink write' 'the operations'
is "$(jq -r 'select(.end).end' "$T/dump")" end 'the last line says how it ended'
lsn=$(jq -r 'select(.op == "symlink").lsn' "$T/dump")
is "$(pagefs journal dump "$v" --from "$lsn" --limit 1 --json | jq -c .op | xargs)" \
    'symlink null' 'from an LSN, one record'
is "$(pagefs journal dump "$v" --from "${lsn/\//-}" --limit 1 --json | jq -c .op | xargs)" \
    'symlink null' 'the same as it is written in paths'
is "$(pagefs journal dump "$v" --to "$lsn" --json | jq -r .op | tail -n2 | head -n1)" write \
    'up to an LSN'
pagefs journal dump "$v" --entries >"$T/text"
ok 'entries: a page' grep -qE '^    P [0-9]+ page 0 value 8192$' "$T/text"
ok 'entries: a directory entry' grep -q '"link" is symlink' "$T/text"
ok 'entries: a name with quotes' grep -qF '"with \x22quotes\x22" is file' "$T/text"
ok 'entries: an attribute' grep -q '"user.colour" 4' "$T/text"
ok 'entries: an inode' grep -qE '^    I [0-9]+ value file mode 0644 nlink 2 ' "$T/text"
is "$(pagefs journal dump "$v" --entries --json |
    jq -r '.entries[]? | select(.name == "with \"quotes\"").type')" file 'entries as JSON'
fails 1 'cannot write' 'a full standard output' \
    bash -c "pagefs journal dump '$v' >/dev/full"

# ---- damage: each on a copy ----------------------------------------------------------------------

layer=$(cd "$v" && find branches/1/layers -name '*.delta' | sort | head -n1)
segment=$(cd "$v" && find branches/1/journal -name '*.seg' | sort | head -n1)
test -n "$layer" || bail 'the volume has no layer'
flushed=$(pagefs status --json "$v" | jq .branches[0].store.flushed_bytes)

# damaged NAME REGEX COMMAND…: after the command (in a copy of the volume) check says so.
damaged() {
    local name=$1 regex=$2
    shift 2
    rm -rf "$T/copy"
    cp -a --sparse=always "$v" "$T/copy"
    (cd "$T/copy" && "$@") || fail "$name: cannot damage it"
    says 4 "$regex" "$name" pagefs check "$T/copy"
}

# The records past the flush stand in the first segment.
at=$((4096 + flushed % (16 << 20)))
says 0 clean 'the volume before it is damaged' pagefs check "$v"
damaged 'a flipped bit in the volume file' 'volume: checksum mismatch' flip volume 100
damaged 'a flipped bit in its first line' 'volume: not a pagefs-volume file' flip volume 3
damaged 'a short volume file' 'volume: .* bytes follow' truncate -s -5 volume
damaged 'an empty volume file' 'volume: not a pagefs-volume file' truncate -s 0 volume
damaged 'a flipped bit in the manifest' 'branches/1/manifest: checksum mismatch' \
    flip branches/1/manifest 100
damaged 'no manifest' 'branches/1/manifest is missing' rm branches/1/manifest
damaged 'a manifest of zeros' 'branches/1/manifest: not a pagefs-manifest file' \
    dd if=/dev/zero of=branches/1/manifest bs=300 count=1 status=none
damaged 'a flipped bit in a layer' "$layer: .*offset [0-9]+.*checksum mismatch" flip "$layer" 20000
damaged 'a flipped bit in a layer'\''s first bytes' "$layer: header at offset 0" flip "$layer" 1
damaged 'a short layer' "$layer: " truncate -s -100 "$layer"
damaged 'a layer too long' "$layer: " truncate -s +100 "$layer"
damaged 'no layer' "$layer: missing, but the manifest names it" rm "$layer"
damaged 'a layer of zeros' "$layer: " bash -c "truncate -s 0 $layer && truncate -s 2M $layer"
damaged 'a flipped bit in the journal' "journal/[0-9a-f]+.seg.* offset $at " \
    flip "$segment" $((at + 20))
damaged 'a flipped bit in a segment'\''s header' "$segment: header checksum mismatch" \
    flip "$segment" 20
damaged 'a short segment' "$segment: .* bytes long" truncate -s -1 "$segment"
damaged 'no segment' 'journal.*(missing|damaged|ends at)' rm "$segment"
damaged 'a segment of zeros' "$segment: not a journal segment" \
    bash -c "truncate -s 0 $segment && truncate -s $(stat -c %s "$v/$segment") $segment"
damaged 'a foreign segment' "$segment: belongs to another volume" \
    cp "$T/empty/$segment" "$segment"

cp -a "$T/empty" "$T/other"
cp "$T/other/branches/1/manifest" "$T/manifest.other"
damaged 'a foreign manifest' 'manifest belongs to another volume' \
    cp "$T/manifest.other" branches/1/manifest

rm -rf "$T/copy"
cp -a --sparse=always "$v" "$T/copy"
flip "$T/copy/$layer" 20000
json '[.clean, .complete, .exit_code, .faults[0].file, (.faults[0].offset <= 20000)]' \
    "[false,true,4,\"$layer\",true]" 'check --json names file and offset' \
    pagefs check --json "$T/copy"
like "$(pagefs check "$T/copy" | tail -n1)" '[0-9]+ errors? found, nothing was changed' \
    'check ends with a summary'
flip "$T/copy/$layer" 20000
flip "$T/copy/$segment" $((at + 20))
says 4 'damage at LSN .*: .*segment|damage at LSN' 'journal dump ends at the damage' \
    pagefs journal dump "$T/copy"
fails 1 'journal' 'status of a damaged volume' pagefs status "$T/copy"

# ---- a newer format ------------------------------------------------------------------------------

# newer NAME COMMAND…: check can't be made, and the volume is not called damaged.
newer() {
    local name=$1
    shift
    rm -rf "$T/copy"
    cp -a --sparse=always "$v" "$T/copy"
    (cd "$T/copy" && "$@") || fail "$name: cannot change it"
    fails 8 'newer than this program knows.*use a newer pagefs' "check: $name" \
        pagefs check "$T/copy"
    fails 1 'newer than this program knows' "status: $name" pagefs status "$T/copy"
}
newer 'a volume of a newer format' sed -i '1s/ 1 / 2 /' volume
newer 'a manifest of a newer format' sed -i '1s/ 1 / 2 /' branches/1/manifest

fails 8 'cannot write' 'check with a full standard output' bash -c "pagefs check '$v' >/dev/full"

# ---- fsck(8) -------------------------------------------------------------------------------------

for option in -a -p -y -n -f -t -v '-C 0' -C0; do
    # shellcheck disable=SC2086
    says 0 clean "fsck.pagefs $option" fsck.pagefs $option "$v"
done

done_testing
