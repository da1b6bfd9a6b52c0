#!/bin/bash
# Postgres and SQLite on a mount: killed under load, checked with Postgres' own tools, backed up,
# linked, two clusters at once; and five crashes without full-page images and without a lost cent.
# shellcheck disable=SC2317 # functions that are called by name
. "$(dirname "$0")/lib.sh"
need_postgres
need pgrep setpriv sqlite3 stdbuf
test -x "$PGBIN/pg_amcheck" || lacking 'needs pg_amcheck'
test -e "$("$PGBIN/pg_config" --sharedir 2>/dev/null)/extension/amcheck.control" ||
    test -e "/usr/share/postgresql/$(basename "${PGBIN%/bin}")/extension/amcheck.control" ||
    lacking 'needs the extension amcheck'

seed=${SEED:-${SEED_BASE:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}}
RANDOM=$((seed % 32768))
diag "SEED=$seed"

bench=
# start_bench NAME PORT [OPTION of pgbench…]: what is acknowledged is noted in $PGLOGS/NAME.*
start_bench() {
    local name=$1 port=$2
    shift 2
    setpriv --reuid=postgres --regid=postgres --clear-groups "$PGBIN/pgbench" -n -p "$port" \
        -c 4 -j 2 -T 300 -l --log-prefix="$PGLOGS/$name" --random-seed="$seed" "$@" postgres \
        >"$T/pgbench.log" 2>&1 &
    bench=$!
    started+=("$bench")
    wait_for 30 test -s "$PGLOGS/$name.$bench"
}

acknowledged() { cat "$PGLOGS/$1".* | wc -l; }

# crash DATA VOLUME DIR MILLISECONDS: at that random moment the mount and the server are gone.
crash() {
    local server
    server=$(head -n1 "$1/postmaster.pid")
    sleep "$(printf '%d.%03d' $(($4 / 1000)) $(($4 % 1000)))"
    if ((RANDOM % 2)); then
        kill9_daemon "$2" # the server sees errors before it goes
        pg_kill9 "$server"
    else
        pg_kill9 "$server"
        kill9_daemon "$2"
    fi
    wait "$bench"
    umount_vol "$3"
}

amcheck() {
    "$PGBIN/pg_amcheck" -p "$1" --all --install-missing --heapallindexed --parent-check --jobs=2
}

checksums() { as_postgres "$PGBIN/pg_checksums" --check -D "$1"; }

history() { sql "$1" 'select count(*) from pgbench_history'; }

sums() {
    sql "$1" 'select (select sum(abalance) from pgbench_accounts) = sum(bbalance) and
        sum(bbalance) = (select sum(tbalance) from pgbench_tellers) and
        sum(bbalance) = (select sum(delta) from pgbench_history) from pgbench_branches'
}

# ---- pgbench, killed -----------------------------------------------------------------------------

v=$T/v m=$T/m port=$(free_port)
mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o branch=main || bail 'no mount'
ok 'initdb' pg_init "$m/pg" --data-checksums
ok 'Postgres starts' pg_start "$m/pg" "$port" max_wal_size=64MB
ok 'pgbench -i' as_postgres "$PGBIN/pgbench" -i -s 5 -q -p "$port" postgres
ok 'pgbench runs' start_bench tpcb "$port"
crash "$m/pg" "$v" "$m" 2000
ok 'killed, it mounts again' mount_vol "$v" "$m" -o branch=main
ok '... and Postgres recovers' pg_start "$m/pg" "$port" max_wal_size=64MB
count=$(acknowledged tpcb)
diag "$count transactions acknowledged, $(history "$port") there"
ok 'transactions were acknowledged' test "$count" -gt 100
ok '... and are there' test "$(history "$port")" -ge "$count"
is "$(sums "$port")" t '... and nothing in parts'
ok 'pg_amcheck' amcheck "$port"

# ---- a backup onto the same mount, and started from there ----------------------------------------

count=$(history "$port")
install -d -o postgres -m 700 "$m/backup"
ok 'pg_basebackup' as_postgres "$PGBIN/pg_basebackup" -p "$port" -D "$m/backup" -c fast -X stream
ok 'pg_verifybackup' as_postgres "$PGBIN/pg_verifybackup" -q "$m/backup"
backup_port=$(free_port)
test "$backup_port" != "$port" || backup_port=$((port + 1))
ok 'the backup starts, beside the original' pg_start "$m/backup" "$backup_port"
is "$(history "$backup_port")" "$count" '... and has everything'
is "$(sums "$backup_port")" t '... and nothing in parts'
ok '... and stops' pg_stop "$m/backup"
ok '... and its checksums are right' checksums "$m/backup"

# ---- hard links, as of pg_upgrade --link ---------------------------------------------------------

ok 'Postgres stops' pg_stop "$m/pg"
ok 'its checksums are right' checksums "$m/pg"
ok 'its files are linked' cp -al "$m/pg" "$m/linked"
file=$(find "$m/linked/base" -type f -size +1000k | head -n1)
is "$(stat -c '%i %h' "$file")" "$(stat -c %i "$m/pg/${file#"$m/linked/"}") 2" '... and the same'
rm -r "$m/pg"
is "$(stat -c %h "$file")" 1 'the old names go'
ok 'the linked ones start' pg_start "$m/linked" "$port"
is "$(history "$port")" "$count" '... and have everything'
ok '... and pg_amcheck' amcheck "$port"
ok '... and stop' pg_stop "$m/linked"
ok '... and their checksums are right' checksums "$m/linked"
umount_vol "$m"
ok 'the volume is clean' pagefs check "$v"

# ---- the whole volume, and two clusters at once --------------------------------------------------

mount_vol "$v" "$m" || bail 'no mount'
main=$m/branches/main
ok 'started below branches/main' pg_start "$main/linked" "$port"
ok 'a second cluster there' pg_init "$main/second" --data-checksums
ok '... starts beside it' pg_start "$main/second" "$backup_port"
is "$(sql "$backup_port" 'create table t as select generate_series(1, 100000) as n' &&
    sql "$backup_port" 'select sum(n) from t')" 5000050000 '... and works'
is "$(history "$port")" "$count" '... as does the first'
for cluster in linked second; do
    ok "$cluster stops" pg_stop "$main/$cluster"
    ok '... and its checksums are right' checksums "$main/$cluster"
done
umount_vol "$m"

# ---- money moves, and five crashes ---------------------------------------------------------------

v=$T/bank m=$T/data
mkvol "$v" || bail 'no volume'
mount_vol "$v" "$m" -o branch=main,memtable=2,flush_journal=16 || bail 'no mount'
ok 'a cluster in the root of a branch' pg_init "$m" --data-checksums
settings=(full_page_writes=off shared_buffers=4MB max_wal_size=32MB)
pg_start "$m" "$port" "${settings[@]}" || bail 'no server'
sql "$port" "create table account (id int primary key, money bigint, filler text);
    insert into account select n, 1000, repeat('x', 200) from generate_series(1, 20000) n;
    create table moved (crash int, client int, n int, primary key (crash, client, n))" ||
    bail 'no tables'
cat >"$T/move.sql" <<'END'
\set n :n + 1
\set a random(1, 20000)
\set b random(1, 20000)
\set money random(1, 100)
BEGIN;
UPDATE account SET money = money - :money WHERE id = least(:a, :b);
UPDATE account SET money = money + :money WHERE id = greatest(:a, :b);
INSERT INTO moved VALUES (:crash, :client_id, :n);
COMMIT;
END
echo 'CHECKPOINT;' >"$T/checkpoint.sql"

for crash in 1 2 3 4 5; do
    start_bench "bank$crash" "$port" -D n=0 -D "crash=$crash" -f "$T/move.sql@300" \
        -f "$T/checkpoint.sql@1" || bail "crash $crash: pgbench runs"
    crash "$m" "$v" "$m" $((300 + RANDOM % 1500))
    mount_vol "$v" "$m" -o branch=main,memtable=2,flush_journal=16 || bail "crash $crash: mounts"
    pg_start "$m" "$port" "${settings[@]}" || bail "crash $crash: Postgres recovers"
    # Checkpoints (script 1) move nothing.
    count=$(cat "$PGLOGS/bank$crash".* | awk '$4 == 0' | wc -l)
    is "$(sql "$port" 'select sum(money) from account')" 20000000 "crash $crash: no money is lost"
    moved=$(sql "$port" "select count(*) from moved where crash = $crash")
    ok "crash $crash: all $count acknowledged moves are there" test "$moved" -ge "$count"
    ok "crash $crash: and 4 others at most" test "$moved" -le $((count + 4))
done
ok 'pg_amcheck without full_page_writes' amcheck "$port"
ok 'stopped' pg_stop "$m"
ok '... its checksums are right' checksums "$m"

# ---- SQLite with a write-ahead log ---------------------------------------------------------------

insert() {
    echo 'pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 50;'
    echo 'create table if not exists t (n integer primary key, x text);'
    seq "$1" $(($1 + 200000)) |
        awk '{ printf "insert into t values (%d, hex(randomblob(500))); select %d;\n", $1, $1 }'
}
mkdir "$m/lite"
from=1
for crash in 1 2 3; do
    insert $from | stdbuf -oL sqlite3 -bail "$m/lite/db" >"$T/inserted" 2>"$T/sqlite.log" &
    bench=$!
    wait_for 20 grep -q "^$((from + 50))\$" "$T/inserted" || bail 'SQLite writes'
    sleep "0.$((RANDOM % 900 + 100))"
    kill9_daemon "$v"
    wait "$bench"
    umount_vol "$m"
    mount_vol "$v" "$m" -o branch=main,memtable=2,flush_journal=16 || bail 'mounts again'
    last=$(grep -E '^[0-9]+$' "$T/inserted" | tail -n1)
    is "$(sqlite3 "$m/lite/db" 'pragma integrity_check')" ok "SQLite, crash $crash: integrity_check"
    got=$(sqlite3 "$m/lite/db" 'select count(*) = max(n) and max(n) from t; select max(n) from t')
    is "${got%%$'\n'*}" 1 "SQLite, crash $crash: no gap"
    from=$((${got##*$'\n'} + 1))
    ok "SQLite, crash $crash: all $last rows are there" test "$from" -gt "$last"
done
umount_vol "$m"
ok 'the volume is clean' pagefs check "$v"

done_testing
