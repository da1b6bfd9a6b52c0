#!/bin/bash
# What a machine can tell of the style. All faults are shown, then it fails.
set -u
shopt -s lastpipe # fault counts at the end of a pipe
cd "$(dirname "$0")/../.." || exit

faults=0
# fault NAME: what the command on standard input printed is a list of faults.
fault() {
    local found
    found=$(cat)
    test -n "$found" || return 0
    echo "== $1" >&2
    echo "$found" >&2
    faults=$((faults + 1))
}

# Tracked files and new ones, without those that git ignores; also in a tree without git.
list() {
    git ls-files -z --cached --others --exclude-standard -- "$@" 2>/dev/null |
        while IFS= read -r -d '' file; do test ! -f "$file" || echo "$file"; done | sort -u
}
mapfile -t c < <(list '*.c' '*.h')
mapfile -t headers < <(list '*.h')
mapfile -t scripts < <(list '*.sh' '*.t' 'tests/run-one' '.ci/run')
mapfile -t text < <(list '*.c' '*.h' '*.sh' '*.t' '*.md' '*.[1-9]' '*.py' \
    tests/run-one .ci/run Makefile .gitignore .clang-format .editorconfig)
if test ${#text[@]} = 0; then
    echo "style: no files found; is this a git checkout?" >&2
    exit 1
fi

# The layout of C is clang-format's, and versions differ: 14 (Debian 12) decides.
format=$(command -v clang-format-14 || command -v clang-format || true)
version=$("${format:-false}" --version 2>/dev/null | grep -oE 'version [0-9]+' | cut -d' ' -f2)
if test "$version" = 14; then
    test ${#c[@]} = 0 || "$format" --dry-run -Werror "${c[@]}" 2>&1 | fault clang-format
else
    echo "######## style: the layout of C is NOT CHECKED" >&2
    echo "######## it takes clang-format 14, and here is '${version:-none}'" >&2
fi

grep -nP '\t' "${c[@]}" "${scripts[@]}" /dev/null | fault 'tabs'
grep -nE '[[:blank:]]+$' "${text[@]}" /dev/null | fault 'blanks at the end of a line'
grep -nE '.{101}' "${c[@]}" "${scripts[@]}" /dev/null | fault 'over 100 columns'
grep -nwE 'TO''DO|FIX''ME|X''XX' "${text[@]}" /dev/null | fault 'unfinished business'
for file in "${text[@]}"; do
    test -z "$(tail -c1 "$file")" || echo "$file"
done | fault 'no newline at the end of the file'

wc -l "${c[@]}" "${scripts[@]}" /dev/null | awk '$2 != "total" && $1 > 600' |
    fault 'over 600 lines'

# Nobody else has the directory it was written in, nor the home of who wrote it.
here=$PWD
case $here in
/*/*) ;;
*) here=/home/ ;; # too short to be told from any other path
esac
grep -nE "(^|[^[:alnum:]_./}-])($here|/home/[a-z]|/root/)" "${text[@]}" /dev/null |
    grep -v '^tests/lint/style.sh:' | fault 'paths of a development machine'

# A comment stands right above each exported function, or above the group it is in. What an inline
# function does can be read below its name.
for file in "${headers[@]}"; do
    awk '
        /^[[:blank:]]*$/ { documented = 0 }
        /\*\/|^\/\// { documented = 1 }
        /^[a-z].*[ *]pfs_[a-z0-9_]+\(/ && !/^(typedef|static) / && !documented {
            print FILENAME ":" FNR ": " $0
        }' "$file"
done | fault 'exported functions without a comment'

if test "$faults" -gt 0; then
    echo "style: $faults kinds of faults" >&2
    exit 1
fi
echo "style: ${#c[@]} C files, ${#scripts[@]} scripts: right"
