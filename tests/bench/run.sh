#!/bin/bash
# Compare pagefs with the local filesystems on the same disk. `make bench` calls it; as root.
#
#     tests/bench/run.sh [--json FILE] [--list]
#
#     BENCH_ONLY=name,name     these cases alone (--list shows them)
#     BENCH_SECONDS=15         how long one measurement takes
#     BENCH_ROUNDS=3           how often each is made; the median counts
#     BENCH_SYSTEMS=pagefs,ext4,xfs,btrfs
#     BENCH_DIR=/var/tmp       a directory on the disk to be used
#     BENCH_GIB=10             size of the database that is written for the memory case
#     BENCH_SCALE=50           of pgbench
#
# Systems take turns within a round, so that a disk that gets slower does so for all of them, and
# each round begins with another one.
set -u

json=
list=
while test $# -gt 0; do
    case $1 in
    --json) json=$(realpath -m "${2:?needs a file}") && shift ;;
    --list) list=yes ;;
    *) sed -n '2,/^set/s/^# \?//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done

here=$(cd "$(dirname "$0")" && pwd)
export TMPDIR=${BENCH_DIR:-/var/tmp}
# shellcheck source=../sh/lib.sh
. "$here/../sh/lib.sh"
tap_done=yes # what is printed here isn't TAP
# shellcheck source=systems.sh
. "$here/systems.sh"
# shellcheck source=cases.sh
. "$here/cases.sh"

note() { printf '%s\n' "$*" >&2; }

die() {
    note "bench: $*"
    tail -n5 "$T/volume.log" 2>/dev/null >&2
    exit 1
}

if test -n "$list"; then
    printf '%s\n' "${together[@]}" "${alone[@]}"
    exit
fi

seconds=${BENCH_SECONDS:-15}
fio_seconds=$(((seconds + 2) / 3))
rounds=${BENCH_ROUNDS:-3}
measurements=$T/measurements
: >"$measurements"

chosen() { test -z "${BENCH_ONLY-}" || [[ ",$BENCH_ONLY," == *",$1,"* ]]; }

# result ROW VALUE: as the cases say it, of the $system whose turn it is
result() {
    printf '%s\t%s\t%s\n' "$1" "$system" "$2" >>"$measurements"
    note "    $system: $1 $2"
}

test "$(id -u)" = 0 || die "mounting takes root"
need_postgres
IFS=, read -ra wanted <<<"${BENCH_SYSTEMS:-pagefs,ext4,xfs,btrfs}"
set_up "${wanted[@]}"
note "Systems: ${systems[*]}, on $(df --output=source,fstype "$T" | tail -n1), $(nproc) CPUs"

for name in "${together[@]}"; do
    chosen "$name" || continue
    for ((round = 1; round <= rounds; round++)); do
        note "$name, round $round of $rounds"
        for system in "${systems[@]}"; do
            "case_$name" "$system"
        done
        systems=("${systems[@]:1}" "${systems[0]}") # another one begins
    done
done
for name in "${alone[@]}"; do
    if chosen "$name" && test -n "${root[pagefs]-}"; then
        note "$name"
        system=pagefs
        "case_$name" pagefs
    fi
done

printf '\npagefs against local filesystems on the same disk: medians of %d rounds\n\n' "$rounds"
python3 "$here/report.py" "$measurements" ${json:+"$json"}
cat <<END

Postgres: on pagefs full_page_writes=off, which is safe there; elsewhere on, which is its default.
fio and the small files: through the page cache, one thread, $fio_seconds s. Bytes are those that
the disk was told to write, by whomever: nothing else should be at work.
xfs and btrfs are in files on that disk, through loop devices.
END
