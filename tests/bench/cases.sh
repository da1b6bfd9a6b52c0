# shellcheck shell=bash
# What is measured. case_NAME SYSTEM measures once and says it with `result ROW VALUE`; cases in
# $together are made on each system in turn, round after round, those in $alone on pagefs only.

together=(init tpcb-1 tpcb-8 tpcb-1-fpw tpcb-8-fpw select randread seqread randwrite seqwrite
    randwrite-fsync seqwrite-fsync files)
alone=(recovery memory)

port=54330
scale=${BENCH_SCALE:-50} # 750 MB, six times Postgres' default shared_buffers
fio_gib=${BENCH_FIO_GIB:-1}

# ---- Postgres --------------------------------------------------------------------------------

# with_server SYSTEM full_page_writes=on|off COMMAND…
# The local filesystems get Postgres' own defaults for its log, which were made for them.
with_server() {
    local data=${root[$1]}/cluster settings=("$2") code
    test "$1" = pagefs || settings+=(wal_recycle=on wal_init_zero=on)
    shift 2
    test -e "$data/PG_VERSION" || pg_init "$data" || die "initdb failed on $data"
    pg_start "$data" $port "${settings[@]}" || die "Postgres does not start on $data"
    "$@"
    code=$?
    pg_stop "$data" || die "Postgres does not stop on $data"
    return $code
}

pgbench() { as_postgres env PGHOST="$PGHOST" "$PGBIN/pgbench" -p $port "$@"; }

load() {
    pgbench -q -i -s "$1" postgres >"$T/pgbench.log" 2>&1 || die "$(tail -n3 "$T/pgbench.log")"
}

# Each system gets its database once, also if `init` isn't among the chosen cases.
declare -A loaded
need_database() {
    test -n "${loaded[$1]-}" || with_server "$1" "$(fpw "$1")" load "$scale"
    loaded[$1]=yes
}

# Pages can't be torn on pagefs, so there Postgres need not write them twice.
fpw() {
    if test "$1" = pagefs; then
        echo full_page_writes=off
    else
        echo full_page_writes=on
    fi
}

case_init() {
    local start end
    start=$(date +%s%N)
    with_server "$1" "$(fpw "$1")" load "$scale"
    end=$(date +%s%N)
    loaded[$1]=yes
    result init $((scale * 100000 * 1000000000 / (end - start)))
}

# All that was written is on the disk: the server's pages, then each filesystem's.
settle() {
    sql $port CHECKPOINT
    sync -f "${root[@]}" "$T"
}

# run_pgbench OPTION…: leaves $tps and $transactions
run_pgbench() {
    pgbench -T "$seconds" -s "$scale" "$@" postgres >"$T/pgbench.log" 2>&1 ||
        die "$(tail -n3 "$T/pgbench.log")"
    tps=$(awk '/^tps/ { print $3 }' "$T/pgbench.log")
    transactions=$(awk '/actually processed/ { split($6, n, "/"); print n[1] }' "$T/pgbench.log")
}

settled_pgbench() {
    settle
    run_pgbench "$@"
}

# What reaches the disk is counted until all of it is there: data files too, not the log alone. The
# disk's own counter is asked: write_bytes of a process counts whole folios, many times too much.
counted_pgbench() {
    local sectors
    settle
    sectors=$(device_sectors)
    run_pgbench "$@"
    settle
    written=$((($(device_sectors) - sectors) * 512 / transactions))
}

tpcb() {
    local system=$1 setting=$2 clients=$3 row=$4
    need_database "$system"
    with_server "$system" "$setting" counted_pgbench -c "$clients" -j $((clients > 1 ? 2 : 1))
    result "$row" "$tps"
    test "$clients" = 1 || result "$row-bytes" "$written"
}

case_tpcb-1() { tpcb "$1" "$(fpw "$1")" 1 tpcb-1; }
case_tpcb-8() { tpcb "$1" "$(fpw "$1")" 8 tpcb-8; }
case_tpcb-1-fpw() { tpcb "$1" full_page_writes=on 1 tpcb-1-fpw; }
case_tpcb-8-fpw() { tpcb "$1" full_page_writes=on 8 tpcb-8-fpw; }

case_select() {
    need_database "$1"
    with_server "$1" "$(fpw "$1")" settled_pgbench -S -n -c 8 -j 2
    result select "$tps"
}

# ---- files -----------------------------------------------------------------------------------

# fio_8k SYSTEM ROW MODE [OPTION of fio…]
fio_8k() {
    local dir=${root[$1]}/fio row=$2 mode=$3
    shift 3
    mkdir -p "$dir"
    if test ! -e "$dir/file"; then
        fio --name=layout --filename="$dir/file" --size="${fio_gib}G" --bs=1M --rw=write \
            --end_fsync=1 >"$T/fio.log" || die "fio can't write $dir/file"
    fi
    fio --name="$row" --filename="$dir/file" --size="${fio_gib}G" --bs=8k --rw="$mode" \
        --ioengine=psync --time_based --runtime="$fio_seconds" --output-format=json "$@" \
        >"$T/fio.json" || die "fio failed: $row in $dir"
    result "$row" "$(jq '.jobs[0] | .read.iops + .write.iops' "$T/fio.json")"
}

case_randread() { fio_8k "$1" randread randread; }
case_seqread() { fio_8k "$1" seqread read; }
case_randwrite() { fio_8k "$1" randwrite randwrite; }
case_seqwrite() { fio_8k "$1" seqwrite write; }
case_randwrite-fsync() { fio_8k "$1" randwrite-fsync randwrite --fsync=1; }
case_seqwrite-fsync() { fio_8k "$1" seqwrite-fsync write --fsync=1; }

case_files() {
    local dir=${root[$1]}/files operation rate
    mkdir -p "$dir"
    sync -f "${root[@]}" "$T"
    "$PAGEFS_TEST_TOOLS/filebench" "$dir" "${BENCH_FILES:-100000}" >"$T/filebench.log" ||
        die "filebench failed in $dir"
    while read -r operation rate; do
        result "$operation" "$rate"
    done <"$T/filebench.log"
}

# ---- pagefs alone ------------------------------------------------------------------------------

# 1 GiB of random pages in the journal, kill -9, and the time until the mount is there again.
case_recovery() {
    local start end
    mkdir -p "$T/pagefs/fio"
    fio --name=dirty --filename="$T/pagefs/fio/recovery" --size=2G --io_size=1G --bs=8k \
        --rw=randwrite --refill_buffers --end_fsync=1 >"$T/fio.log" || die "fio can't write"
    kill9_daemon "$T/volume" && umount_vol "$T/pagefs" || die "the daemon does not end"
    start=$(date +%s%N)
    mount_pagefs || die "pagefs does not come back"
    end=$(date +%s%N)
    rm "$T/pagefs/fio/recovery"
    result recovery "$(awk "BEGIN { print ($end - $start) / 1e9 }")"
}

# The most memory that the daemon ever had while a database of BENCH_GIB was written.
case_memory() {
    local gib=${BENCH_GIB:-10}
    umount_vol "$T/pagefs" && mount_pagefs || die "pagefs does not come back"
    with_server pagefs full_page_writes=off load $((gib * 68))
    loaded[pagefs]= # with another scale
    result memory "$(awk '/^VmHWM/ { print $2 / 1024 }' "/proc/${daemon_of[$T/pagefs]}/status")"
}
