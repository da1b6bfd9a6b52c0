#!/bin/bash
# A full disk: whoever writes gets ENOSPC, what was acknowledged is there, and it goes on when there
# is space again, in a mount that runs on, after kill -9, and under Postgres.
# shellcheck disable=SC2317 # functions that are called by name
. "$(dirname "$0")/lib.sh"
need_postgres
need mkfs.ext4 losetup setpriv
ackcheck=${PAGEFS_TEST_TOOLS:?is set by the Makefile}/ackcheck

# ---- a small disk --------------------------------------------------------------------------------

disk=$T/disk v=$T/disk/v m=$T/m
truncate -s 500M "$T/image"
mkfs.ext4 -q -F -m 0 "$T/image" >"$T/mkfs.ext4.log" 2>&1 || bail "$(<"$T/mkfs.ext4.log")"
mkdir "$disk"
mount -o loop "$T/image" "$disk" 2>"$T/mount.log" ||
    lacking "needs a loop device: $(<"$T/mount.log")"

# All that is left, down to the last block.
fill_disk() {
    local size
    for size in 64M 16M 4M 1M 256K 64K 4K; do
        while fallocate -l $size "$disk/filler.$size.$RANDOM$RANDOM" 2>/dev/null; do :; done
    done
    find "$disk" -maxdepth 1 -name 'filler.*' -size 0 -delete
}

free_disk() { rm -f "$disk"/filler.*; }

options=branch=main,flush_journal=8,memtable=2
mkvol "$v" || bail 'no volume'
mount_small() { mount_vol "$v" "$m" -o "$options,log=$T/daemon.log"; }

# ---- operations of all kinds ---------------------------------------------------------------------

refuses() {
    run dd if=/dev/urandom of="$m/probe.$RANDOM" bs=1M count=40 conv=fsync
    [[ $err == *'No space left on device'* ]]
}

accepts() {
    dd if=/dev/urandom of="$m/probe" bs=1M count=20 conv=fsync
}

writer=
start_writing() {
    "$ackcheck" write "$m" "$T/acks" "${SEED:-1}" 300 >"$T/writer.log" 2>&1 &
    writer=$!
    started+=("$writer")
}

mount_small || bail 'no mount'
id=$(daemon_pid "$v")
start_writing
ok 'it is written' wait_for 30 test -e "$m/t5/b"
fill_disk
ok 'a full disk: ENOSPC' wait_for 120 refuses
is "$(daemon_pid "$v")" "$id" '... and the daemon lives'
ok '... and answers' alive "$id"
ok '... and can be read' bash -c "ls -lR '$m' && cat '$m'/t0/*/* >/dev/null"
ok '... and asked' pagefs status "$v"
free_disk
ok 'space is back: it goes on' wait_for 30 accepts
rm -f "$m"/probe*
kill -TERM "$writer"
wait "$writer"
is $? 0 'nothing but ENOSPC was seen'
like "$(<"$T/writer.log")" 'acknowledged=[1-9][0-9]* refused=[1-9]' '... and that was'
diag "$(<"$T/writer.log")"
ok 'all that was acknowledged is there' "$ackcheck" verify "$m" "$T/acks"
crash_and_mount "$v" "$m" -o "$options,log=$T/daemon.log" || bail 'mounts again'
ok '... after kill -9, too' "$ackcheck" verify "$m" "$T/acks"

# ---- killed while the disk is full ---------------------------------------------------------------

start_writing
fill_disk
ok 'full again' wait_for 120 refuses
kill9_daemon "$v"
wait "$writer"
is $? 0 'killed then: nothing but ENOSPC was seen'
umount_vol "$m"
ok 'it mounts on the full disk' mount_small
ok '... and all that was acknowledged is there' "$ackcheck" verify "$m" "$T/acks"
umount_vol "$m"
ok 'it mounts read-only on the full disk' mount_vol "$v" "$m" -o ro,branch=main
umount_vol "$m"
ok 'the volume is clean' pagefs check "$v"
free_disk
mount_small || bail 'mounts again'
ok 'space is back' wait_for 30 accepts
ok '... and all is there' "$ackcheck" verify "$m" "$T/acks"
umount_vol "$m"
rm -rf "$v"

# ---- pgbench -------------------------------------------------------------------------------------

mkvol "$v" || bail 'no volume'
mount_small || bail 'no mount'
port=$(free_port)
pg_init "$m/pg" --data-checksums --wal-segsize=4 || bail 'no initdb'
settings=(shared_buffers=16MB max_wal_size=32MB min_wal_size=8MB checkpoint_timeout=30s)
pg_start "$m/pg" "$port" "${settings[@]}" || bail 'no server'
ok 'pgbench -i' as_postgres "$PGBIN/pgbench" -i -s 2 -q -p "$port" postgres
id=$(daemon_pid "$v")

# What pgbench notes of a transaction, it notes when it has been acknowledged.
acknowledged() { cat "$PGLOGS"/ack.* 2>/dev/null | wc -l; }
history() { sql "$port" 'select count(*) from pgbench_history'; }
sums() {
    sql "$port" 'select (select sum(abalance) from pgbench_accounts) = sum(bbalance) and
        sum(bbalance) = (select sum(tbalance) from pgbench_tellers) and
        sum(bbalance) = (select sum(delta) from pgbench_history) from pgbench_branches'
}
told() { grep -q 'No space left on device' "$PGLOGS/$port.log"; }
answers() { sql "$port" 'select 1'; }

setpriv --reuid=postgres --regid=postgres --clear-groups "$PGBIN/pgbench" -n -p "$port" -c 4 -j 2 \
    -T 300 -l --log-prefix="$PGLOGS/ack" postgres >"$T/pgbench.log" 2>&1 &
bench=$!
started+=("$bench")
ok 'pgbench runs' wait_for 30 test -s "$PGLOGS/ack.$bench"
fill_disk
ok 'Postgres is told of the full disk' wait_for 180 told
is "$(daemon_pid "$v")" "$id" '... and the daemon lives'
ok '... and can be asked' pagefs status "$v"
free_disk
ok 'space is back' wait_for 30 accepts
kill -INT "$bench" 2>/dev/null
wait "$bench"
if ! wait_for 10 answers; then # it ends if its recovery meets the full disk as well
    diag 'the server has ended and is started again'
    pg_stop "$m/pg" immediate >/dev/null
    ok 'Postgres starts' pg_start "$m/pg" "$port" "${settings[@]}"
fi
count=$(acknowledged)
diag "$count transactions acknowledged"
ok 'transactions were acknowledged' test "$count" -gt 100
ok '... and are there' test "$(history)" -ge "$count"
is "$(sums)" t '... and nothing in parts'
ok 'pgbench goes on' as_postgres "$PGBIN/pgbench" -n -p "$port" -c 4 -j 2 -t 100 postgres

# Postgres killed on a full disk, with the mount.
fill_disk
server=$(head -n1 "$m/pg/postmaster.pid")
count=$(history)
pg_kill9 "$server"
crash_and_mount "$v" "$m" -o "$options,log=$T/daemon.log" || bail 'mounts again'
free_disk
ok 'after kill -9 of both Postgres starts' pg_start "$m/pg" "$port" "${settings[@]}"
is "$(history)" "$count" '... and all is there'
is "$(sums)" t '... and nothing in parts'
ok 'Postgres stops' pg_stop "$m/pg"
ok 'its checksums are right' as_postgres "$PGBIN/pg_checksums" --check -D "$m/pg"
umount_vol "$m"
ok 'the volume is clean' pagefs check "$v"

done_testing
