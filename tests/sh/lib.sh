# shellcheck shell=bash
# Helpers of the shell tests: TAP, volumes and mounts, Postgres. A test begins with
#
#     . "$(dirname "$0")/lib.sh"
#     need_mounts                    (and need_postgres, need sqlite3 ...)
#
# and ends with `done_testing`; without that line `prove` calls it failed, however it ended.
#
# $T is a directory of its own for each test. When the test ends, however it does, the processes it
# started through these helpers are ended by their ids, what is mounted below $T is unmounted and
# $T is removed (KEEP=1 leaves the files). A line of its own, `# sanitizers: yes`, has a test run
# under the sanitizers too; a report of theirs fails the test.

set -u
set -o pipefail
umask 022
export LC_ALL=C
export PATH="${PAGEFS_BIN:?is set by the Makefile}:$PATH:/usr/sbin:/sbin"

T=$(mktemp -d "${TMPDIR:-/tmp}/pagefs-test.XXXXXX") || exit
chmod 755 "$T" # the postgres user passes through it

# ---- TAP ---------------------------------------------------------------------------------------

tap_count=0
tap_failed=0
tap_done=

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$*"
}

fail() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "$*"
    diag "at ${BASH_SOURCE[-1]} line ${BASH_LINENO[-2]}"
    return 1
}

# plan N: says beforehand how many tests there will be; done_testing holds it to that.
plan() {
    tap_planned=$1
    printf '1..%d\n' "$1"
}

done_testing() {
    test -n "${tap_planned-}" || printf '1..%d\n' "$tap_count"
    tap_done=yes
    exit $((tap_failed > 0))
}

skip_all() {
    printf '1..0 # SKIP %s\n' "$*"
    tap_done=yes
    exit 0
}

# skip NAME WHY: one test that can't be made here.
skip() {
    tap_count=$((tap_count + 1))
    printf 'ok %d # SKIP %s: %s\n' "$tap_count" "$1" "$2"
}

# bail WHY: the rest of this test makes no sense.
bail() {
    fail "goes on: $*"
    done_testing
}

# ok NAME COMMAND…: it succeeds. Its output is shown if it doesn't. The command may be a function:
# it runs in this shell, so what it sets stays.
ok() {
    local name=$1 output=$T/.output.$tap_count code
    shift
    "$@" >"$output" 2>&1
    code=$?
    if test "$code" = 0; then
        pass "$name"
    else
        fail "$name"
        diag "exit code $code of: $*"
        diag "$(<"$output")"
        return 1
    fi
}

# not_ok NAME COMMAND…: it fails, by an exit code and not by a signal.
not_ok() {
    local name=$1 output=$T/.output.$tap_count code
    shift
    "$@" >"$output" 2>&1
    code=$?
    if test "$code" -gt 0 && test "$code" -lt 126; then
        pass "$name"
    else
        fail "$name"
        diag "exit code $code of: $*"
        diag "$(<"$output")"
        return 1
    fi
}

# is GOT WANTED NAME
is() {
    if test "$1" = "$2"; then
        pass "$3"
    else
        fail "$3"
        diag "     got: $1"
        diag "expected: $2"
        return 1
    fi
}

# like GOT REGEX NAME      unlike GOT REGEX NAME
like() {
    if [[ $1 =~ $2 ]]; then
        pass "$3"
    else
        fail "$3"
        diag "          got: $1"
        diag "doesn't match: $2"
        return 1
    fi
}

unlike() {
    if [[ $1 =~ $2 ]]; then
        fail "$3"
        diag "    got: $1"
        diag "matches: $2"
        return 1
    else
        pass "$3"
    fi
}

# run COMMAND…: leaves $code, $out and $err, of which the tests that use them are the judges.
# shellcheck disable=SC2034
run() {
    "$@" >"$T/.out" 2>"$T/.err"
    code=$?
    out=$(<"$T/.out")
    err=$(<"$T/.err")
}

# outputs NAME WANTED COMMAND…: it succeeds and this is what it prints on standard output.
outputs() {
    local name=$1 wanted=$2
    shift 2
    run "$@"
    if test "$code" = 0 && test "$out" = "$wanted"; then
        pass "$name"
    else
        fail "$name"
        diag "exit code $code of: $*"
        printf '%s\n' "$wanted" >"$T/.wanted"
        printf '%s\n' "$out" >"$T/.out"
        diag "$(diff -u --label expected --label got "$T/.wanted" "$T/.out")"
        test -z "$err" || diag "$err"
        return 1
    fi
}

# ---- what a test needs ---------------------------------------------------------------------------

# Where everything must be there (REQUIRE_ALL=1, as in CI) a lack is a failure.
lacking() {
    test -z "${REQUIRE_ALL-}" || bail "$1"
    skip_all "$1"
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || lacking "needs $program"
    done
}

need_root() { test "$(id -u)" = 0 || lacking 'needs root'; }

need_mounts() {
    need_root
    need mount.pagefs pagefs mountpoint
    test -e /dev/fuse || modprobe fuse 2>/dev/null
    test -c /dev/fuse || lacking 'needs /dev/fuse'
}

need_postgres() {
    need_mounts
    need runuser
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n1)
    test -x "$newest" || lacking 'needs PostgreSQL'
    PGBIN=${newest%/*}
    PGSOCKETS=$T/sockets PGLOGS=$T/pglogs
    mkdir -p "$PGSOCKETS" "$PGLOGS"
    chown postgres "$PGSOCKETS" "$PGLOGS"
    export PGHOST=$PGSOCKETS PGUSER=postgres PGDATABASE=postgres
}

# ---- processes -----------------------------------------------------------------------------------

started=() # ids of the processes to end with the test

alive() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null && [[ $stat != *') Z '* ]]
}

# Not a zombie either: Postgres takes one for a living server.
gone() { test ! -e "/proc/$1"; }

# wait_for SECONDS COMMAND…: tries until it succeeds; fails when the time is over.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        test "$SECONDS" -le "$end" || return 1
        sleep 0.05
    done
}

# spawn COMMAND…: in the background; its id is in $!, its output in $T/spawn.ID.log
spawn() {
    local log
    exec {log}>"$T/.spawn.log" # opened here: the background shell may be late
    "$@" >&"$log" 2>&1 {log}>&- &
    exec {log}>&-
    mv "$T/.spawn.log" "$T/spawn.$!.log"
    started+=("$!")
}

# end_process SIGNAL ID…: and wait until they are gone.
end_process() {
    local signal=$1 id
    shift
    kill "-$signal" "$@" 2>/dev/null
    for id in "$@"; do
        wait_for 20 gone "$id" || return
    done
}

# ---- volumes and mounts --------------------------------------------------------------------------

declare -A daemon_of # directory -> id of the process that serves it

# mkvol VOLUME [OPTION…]
mkvol() {
    mkfs.pagefs "$@" >"$T/mkfs.log" 2>&1 || { diag "$(<"$T/mkfs.log")" && return 1; }
}

# mount_vol VOLUME DIR [-o OPTIONS]: returns when the mount is ready. The log is VOLUME.log
mount_vol() {
    local volume=$1 dir=$2 id
    mkdir -p "$dir"
    if ! mount.pagefs "$@" </dev/null >>"$volume.log" 2>&1; then
        diag "mount.pagefs $*"
        diag "$(tail -n20 "$volume.log")"
        return 1
    fi
    id=$(daemon_pid "$volume")
    if test -n "$id"; then
        daemon_of[$dir]=$id
        started+=("$id")
    fi
}

daemon_pid() { sed -n 's/^pid=//p' "$1/lock" 2>/dev/null; }

# kill9_daemon VOLUME: the mount stays behind, dead; umount_vol takes it away.
kill9_daemon() { end_process KILL "$(daemon_pid "$1")"; }

# umount_vol DIR: returns when the daemon is gone too, so that the volume is free.
umount_vol() {
    local dir=$1 id=${daemon_of[$1]-}
    umount "$dir" 2>/dev/null || umount -l "$dir" || return
    test -z "$id" || wait_for 60 gone "$id"
}

# crash_and_mount VOLUME DIR [-o OPTIONS]: kill -9, take the dead mount away, mount again.
crash_and_mount() {
    kill9_daemon "$1" && umount_vol "$2" && mount_vol "$@"
}

# ---- Postgres ------------------------------------------------------------------------------------

as_postgres() { (cd "$T" && runuser -u postgres -- "$@"); }

free_port() {
    local port=$((20000 + (RANDOM + $$) % 30000))
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

# pg_init DIR [OPTION of initdb…]: a cluster in DIR itself, with the settings that suit pagefs.
pg_init() {
    local dir=$1
    shift
    mkdir -p "$dir"
    chown postgres "$dir"
    chmod 700 "$dir"
    if ! as_postgres "$PGBIN/initdb" -D "$dir" -A trust -E UTF8 --locale=C "$@" \
        >"$T/initdb.log" 2>&1; then
        diag "$(<"$T/initdb.log")"
        return 1
    fi
    printf '%s\n' >>"$dir/postgresql.conf" "listen_addresses = ''" \
        "unix_socket_directories = '$PGSOCKETS'" 'wal_recycle = off' 'wal_init_zero = off' \
        'full_page_writes = off'
}

# pg_start DIR PORT [SETTING=VALUE…]; its log is $PGLOGS/PORT.log
pg_start() {
    local dir=$1 port=$2 setting options="-p $2"
    shift 2
    for setting in "$@"; do
        options+=" -c $setting"
    done
    if ! as_postgres "$PGBIN/pg_ctl" start -w -t 180 -D "$dir" -l "$PGLOGS/$port.log" \
        -o "$options" >"$T/pg_ctl.log" 2>&1 </dev/null; then
        diag "$(<"$T/pg_ctl.log")"
        diag "$(tail -n20 "$PGLOGS/$port.log")"
        return 1
    fi
    started+=("$(head -n1 "$dir/postmaster.pid")")
}

# pg_stop DIR [smart|fast|immediate]
pg_stop() {
    as_postgres "$PGBIN/pg_ctl" stop -w -t 180 -D "$1" -m "${2-fast}" >"$T/pg_ctl.log" 2>&1 ||
        { diag "$(<"$T/pg_ctl.log")" && return 1; }
}

# pg_kill9 ID: the server whose postmaster that is (the first line of postmaster.pid), as a power
# cut would end it: none of its processes does anything more.
pg_kill9() {
    local family
    mapfile -t family < <(pgrep -P "$1")
    end_process KILL "$1" "${family[@]}"
}

# sql PORT QUERY [OPTION of psql…]: prints what it answers, bare.
sql() {
    local port=$1 query=$2
    shift 2
    "$PGBIN/psql" -p "$port" -XAtq -v ON_ERROR_STOP=1 "$@" -c "$query"
}

# ---- the end -------------------------------------------------------------------------------------

export ASAN_OPTIONS="${ASAN_OPTIONS-}:log_path=$T/sanitizer"
export UBSAN_OPTIONS="${UBSAN_OPTIONS-}:log_path=$T/sanitizer"
export TSAN_OPTIONS="${TSAN_OPTIONS-}:log_path=$T/sanitizer"

# Deepest first, and the last one mounted first.
mounts_below() {
    awk -v top="$1/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac
}

clean_up() {
    local code=$? id dir daemons=("${daemon_of[@]}") report
    trap - EXIT
    cd /
    for id in "${started[@]}"; do
        kill -CONT "$id" 2>/dev/null
        # Servers and clients go at once. Daemons go with their mounts.
        [[ " ${daemons[*]} " == *" $id "* ]] || kill -KILL "$id" 2>/dev/null
    done
    while read -r dir; do
        umount "$dir" 2>/dev/null || umount -l "$dir" 2>/dev/null
    done < <(mounts_below "$T")
    for id in "${daemons[@]}"; do
        wait_for 30 gone "$id" || kill -KILL "$id" 2>/dev/null
    done
    for report in "$T"/sanitizer.*; do
        test -s "$report" || continue
        diag "$(head -n100 "$report")"
        code=1
    done
    if test -z "$tap_done"; then
        echo "# ended before done_testing, with code $code"
        code=1
    fi
    if test -n "${KEEP-}"; then
        diag "kept: $T"
    else
        rm -rf --one-file-system "$T"
    fi
    exit "$code"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
