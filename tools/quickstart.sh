#!/bin/bash
# Postgres on pagefs in two minutes, killed and brought back: `sudo make quickstart` calls
#
#     tools/quickstart.sh start       and, to end and remove what that left running,
#     tools/quickstart.sh stop
#
# Everything is kept in QUICKSTART_DIR (/var/lib/pagefs-quickstart). Postgres' settings elsewhere
# and other servers are left alone.
set -euo pipefail

top=${QUICKSTART_DIR:-/var/lib/pagefs-quickstart}
volume=$top/volume
data=$top/pgdata
sockets=$top/sockets
logs=$top/logs
marker=$top/.made-by-quickstart
scale=10 # of pgbench: ten times 100,000 accounts
export PATH="${PAGEFS_BIN:?is set by the Makefile}:$PATH:/usr/sbin:/sbin" LC_ALL=C

say() { printf '%s\n' "$*"; }

step() { printf '\n[%3d s] %s\n' $SECONDS "$*"; }

last_lines() { tail -n3 "$1" 2>/dev/null || true; }

die() {
    printf '\nquickstart: %s\n' "$*" >&2
    exit 1
}

# ---- processes: only those that this script started, by their ids ------------------------------

state() { sed -n 's/^State:[[:blank:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null || true; }

# A zombie is dead too, but it is given some seconds in which its parent may hear of it.
wait_until_gone() {
    local id start=$SECONDS
    for id in "$@"; do
        while test -n "$(state "$id")"; do
            test $((SECONDS - start)) -lt 5 || test "$(state "$id")" != Z || break
            test $((SECONDS - start)) -lt 60 || die "process $id does not end"
            sleep 0.05
        done
    done
}

# The id in a file's first line, if the process has that word in its command line: an id may have
# been given to somebody else since.
id_in() {
    local id
    id=$(sed -n '1s/^\(pid=\)\?\([0-9]\+\)$/\2/p' "$1" 2>/dev/null) || return 0
    if test -n "$id" && grep -qsF -- "$2" "/proc/$id/cmdline"; then
        echo "$id"
    fi
}

daemon() { id_in "$volume/lock" "$volume"; }
server() { id_in "$top/server.id" "$data"; }

as_postgres() { (cd "$top" && runuser -u postgres -- "$@"); }

sql() { as_postgres "$pgbin/psql" -h "$sockets" -p "$port" -XAtq -v ON_ERROR_STOP=1 "$@"; }
pgbench() { as_postgres "$pgbin/pgbench" -h "$sockets" -p "$port" "$@"; }

# ---- steps ------------------------------------------------------------------------------------

check_machine() {
    test "$(id -u)" = 0 || die "mounting takes root: sudo make quickstart"
    test -c /dev/fuse || modprobe fuse 2>/dev/null || true
    test -c /dev/fuse ||
        die "/dev/fuse is missing: load the kernel module fuse, or give the container that device"
    pgbin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n1)
    test -x "$pgbin/postgres" || die "there is no Postgres in /usr/lib/postgresql"
}

free_port() {
    port=54320
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
}

mount_it() {
    mount.pagefs "$volume" "$data" -o branch=main </dev/null >>"$logs/mount.log" 2>&1 ||
        die "mount.pagefs failed: $(last_lines "$logs/mount.log")"
}

start_server() {
    # Postgres takes a zombie for a living server, and a container's init may not reap it.
    test "$(state "$(sed -n 1p "$data/postmaster.pid" 2>/dev/null)")" != Z ||
        rm -f "$data/postmaster.pid"
    as_postgres "$pgbin/pg_ctl" start -w -t 100 -D "$data" -l "$logs/postgres.log" \
        >"$logs/pg_ctl.log" 2>&1 </dev/null ||
        die "Postgres did not start: $(last_lines "$logs/postgres.log")"
    head -n1 "$data/postmaster.pid" >"$top/server.id"
}

make_cluster() {
    chown postgres "$data"
    chmod 700 "$data"
    as_postgres "$pgbin/initdb" -D "$data" -A peer -E UTF8 --locale=C >"$logs/initdb.log" 2>&1 ||
        die "initdb failed: $(last_lines "$logs/initdb.log")"
    printf '%s\n' >>"$data/postgresql.conf" '' '# for pagefs, by its quickstart' \
        "port = $port" "listen_addresses = ''" "unix_socket_directories = '$sockets'" \
        'wal_recycle = off        # a new file is as good as an old one' \
        'wal_init_zero = off' \
        'full_page_writes = off   # pagefs never tears a page'
}

# TPC-B, and in the same transaction a row with the number that the client gives it.
write_script() {
    cat >"$top/numbered.sql" <<'END_OF_SCRIPT'
\set n :n + 1
\set aid random(1, 100000 * :scale)
\set bid random(1, 1 * :scale)
\set tid random(1, 10 * :scale)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
    VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
INSERT INTO committed VALUES (:client_id, :n);
END;
END_OF_SCRIPT
}

# Run until the crash. pgbench logs a transaction when the server's answer to its COMMIT has come;
# line k of a client is the transaction that it numbered k.
load_and_crash() {
    local clients=8 seconds=6 bench mount_id server_id family
    pgbench -n -c $clients -j 2 -T 600 -D n=0 -D scale=$scale -f "$top/numbered.sql" \
        -l --log-prefix="$logs/acknowledged" bench >"$logs/pgbench.log" 2>&1 &
    bench=$!
    sleep $seconds
    kill -0 $bench 2>/dev/null || die "pgbench ended by itself: $(last_lines "$logs/pgbench.log")"
    mount_id=$(daemon)
    server_id=$(server)
    if test -z "$mount_id" || test -z "$server_id"; then
        die "the mount or Postgres has ended by itself"
    fi
    mapfile -t family < <(pgrep -P "$server_id")
    step "$clients clients have been writing for $seconds seconds. Now kill -9, without a warning:"
    say "        the mount (process $mount_id)"
    say "        and Postgres (process $server_id and its ${#family[@]} children)"
    kill -KILL "$mount_id" "$server_id" "${family[@]}" 2>/dev/null || true
    wait_until_gone "$mount_id" "$server_id" "${family[@]}"
    wait $bench || true # its clients lost the server, of course
    umount -l "$data"
    acknowledged=$(cat "$logs"/acknowledged.* | wc -l)
    test "$acknowledged" -gt 0 || die "no transaction was acknowledged before the crash"
}

# Prints, a line each: how many of the acknowledged ones are there, how many are not, how many rows
# there are in all, and whether accounts, tellers and branches agree with the history.
questions() {
    cat <<END_OF_QUESTIONS
CREATE TEMP TABLE acknowledged (client int, n int);
\\copy acknowledged FROM PROGRAM 'cut -d" " -f1,2 $logs/acknowledged.*' (DELIMITER ' ')
SELECT count(c.n) FROM acknowledged LEFT JOIN committed c USING (client, n);
SELECT count(*) - count(c.n) FROM acknowledged LEFT JOIN committed c USING (client, n);
SELECT count(*) FROM committed;
SELECT count(DISTINCT total) = 1 FROM (
    SELECT sum(delta) AS total FROM pgbench_history
    UNION ALL SELECT sum(abalance) FROM pgbench_accounts
    UNION ALL SELECT sum(tbalance) FROM pgbench_tellers
    UNION ALL SELECT sum(bbalance) FROM pgbench_branches) AS totals;
END_OF_QUESTIONS
}

compare() {
    local answers there missing all balanced
    answers=$(questions | sql -d bench) || die "the database does not answer"
    read -rd '' there missing all balanced <<<"$answers" || true
    say "        $acknowledged transactions were acknowledged before the crash"
    say "        $there of them are there, $missing are missing"
    say "        ($((all - there)) more had committed when the crash came, unknown to clients)"
    if test "$missing" != 0 || test "$there" != "$acknowledged"; then
        die "acknowledged transactions are LOST. This must not happen; $top is left as it is."
    fi
    if test "$balanced" != t; then
        die "the balances do not add up. This must not happen; $top is left as it is."
    fi
    say "        the balances of accounts, tellers and branches add up"
}

picture() {
    cat <<END

    Postgres $(cat "$data/PG_VERSION"), unmodified, process $(server)
        |  open, read, write, fsync
        v
    $data      a mount: the data directory
        |
        |  mount.pagefs, process $(daemon)
        v
    $volume      a directory: the volume
        $(cd "$volume" && echo *)
        |
        v
    the disk's own filesystem
END
}

next_lines() {
    local root='' user='runuser -u postgres --' where=''
    if command -v sudo >/dev/null; then
        root='sudo ' user='sudo -u postgres'
    fi
    test "$top" = /var/lib/pagefs-quickstart || where=" QUICKSTART_DIR=$top"
    cat <<END

It is running. What to type next:

    connect       $user psql -h $sockets -p $port bench
    look around   ${root}ls -l $data
                  df -h $data
                  $root$PAGEFS_BIN/pagefs status $volume
    logs          $logs
    stop          ${root}make quickstart-stop$where

END
}

# ---- start, stop --------------------------------------------------------------------------------

stop_and_remove() {
    local server_id mount_id family
    server_id=$(server)
    if test -n "$server_id"; then
        say "        stopping Postgres (process $server_id)"
        mapfile -t family < <(pgrep -P "$server_id")
        kill -INT "$server_id" # a fast shutdown
        wait_until_gone "$server_id" "${family[@]}"
    fi
    mount_id=$(daemon)
    if mountpoint -q "$data" || grep -qF " $data " /proc/self/mountinfo; then
        say "        unmounting $data"
        umount "$data" 2>/dev/null || umount -l "$data"
    fi
    test -z "$mount_id" || wait_until_gone "$mount_id"
    say "        removing $top"
    rm -rf --one-file-system "$top"
}

start() {
    check_machine
    say "pagefs quickstart: Postgres on pagefs, killed in the middle of its work and brought back."
    say "All of it is in $top"
    if test -e "$marker"; then
        step "An earlier quickstart is there. It makes room:"
        stop_and_remove
    elif test -e "$top" && test -n "$(ls -A "$top")"; then
        die "$top holds something else. Choose another directory: QUICKSTART_DIR=/some/where"
    fi
    mkdir -p "$top" "$data" "$sockets" "$logs"
    touch "$marker"
    chmod 755 "$top"
    chown postgres "$sockets" "$logs"

    step "Making a volume, and mounting its branch main"
    mkfs.pagefs "$volume" >"$logs/mkfs.log" 2>&1 ||
        die "mkfs.pagefs failed: $(last_lines "$logs/mkfs.log")"
    mount_it

    step "Making a cluster in it (initdb) and starting Postgres"
    free_port
    make_cluster
    start_server

    step "Filling a pgbench database with a million accounts"
    sql -d postgres -c 'CREATE DATABASE bench'
    pgbench -q -i -s $scale bench >"$logs/pgbench-init.log" 2>&1 ||
        die "pgbench -i failed: $(last_lines "$logs/pgbench-init.log")"
    sql -d bench -c 'CREATE TABLE committed (client int, n int)'
    write_script

    step "Running pgbench: each client numbers its transactions and notes the acknowledged ones"
    load_and_crash

    step "Mounting again and starting Postgres, which recovers from its own log"
    mount_it
    start_server

    step "Comparing what clients were promised with what is there"
    compare

    step "Done. What is where:"
    picture
    next_lines
}

stop() {
    test "$(id -u)" = 0 || die "unmounting takes root: sudo make quickstart-stop"
    test -e "$marker" || die "there is no quickstart in $top"
    step "Ending the quickstart in $top"
    stop_and_remove
}

failed() {
    local code=$?
    test $code = 0 ||
        say "        It stopped here. Logs are in $logs; \`make quickstart-stop\` cleans up." >&2
}
trap failed EXIT

case ${1-} in
start) start ;;
stop) stop ;;
*) die "usage: tools/quickstart.sh start|stop" ;;
esac
