#!/bin/bash
# Manual pages by mandoc, scripts by shellcheck.
set -eu
cd "$(dirname "$0")/../.."

shopt -s nullglob
pages=(man/*.[1-9])
if test ${#pages[@]} -gt 0; then
    mandoc -T lint -W warning "${pages[@]}"
fi
echo "manual pages: ${#pages[@]} right"

# What is in pieces is checked whole, from the piece that sources the others.
scripts=(.ci/run tests/run-one tools/*.sh tests/*.sh tests/sh/*.t)
scripts+=(tests/bench/run.sh tests/lint/*.sh tests/sh/lib.sh)
shellcheck -a -s bash "${scripts[@]}"
echo "scripts: ${#scripts[@]} right"
