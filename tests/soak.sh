#!/bin/bash
# Simulations and crash tests again and again, with new seeds, for SOAK_MINUTES. Ends at the first
# failure; the seed and the test's log say how to see it again.
#
#     tests/soak.sh SIMULATION... TEST.t...
set -eu

end=$((SECONDS + ${SOAK_MINUTES:-30} * 60))
round=0
export SOAK=1
while test $SECONDS -lt $end; do
    round=$((round + 1))
    for file in "$@"; do
        test $SECONDS -lt $end || break
        SEED_BASE=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
        export SEED_BASE
        printf '== round %d, %s, SEED_BASE=%s\n' "$round" "${file##*/}" "$SEED_BASE"
        prove --timer --exec tests/run-one "$file"
    done
done
echo "$round rounds, no failure"
