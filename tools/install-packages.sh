#!/bin/bash
# Install the named Debian or Ubuntu packages, if one is missing. Asks nothing.
#
#     tools/install-packages.sh PACKAGE...
set -eu

installed() {
    test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed
}

if ! command -v apt-get >/dev/null; then
    echo "No apt-get here. Please install what these are called on this system: $*" >&2
    exit 1
fi

missing=()
for package in "$@"; do
    # A virtual package (pkg-config on Ubuntu, say) is there if somebody provides it.
    installed "$package" ||
        dpkg-query -W -f '${db:Status-Status} ${Provides}\n' |
        grep -Eq "^installed .*\b$package\b( |,|\$)" || missing+=("$package")
done
test ${#missing[@]} -gt 0 || exit 0

echo "Missing packages: ${missing[*]}"
if test "$(id -u)" != 0; then
    echo "Only root can install them: run this with sudo." >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
    apt-get -q update
fi

# Debian's postgresql package would make a cluster and start it. We need the programs alone: this
# file says so for as long as the installation takes. Clusters that exist are left as they are.
dropin=/etc/postgresql-common/createcluster.d/pagefs.conf
if [[ " ${missing[*]} " == *" postgresql"* ]] && ! test -e "$dropin"; then
    echo "Installing PostgreSQL's programs; its package is told not to create and start a server."
    mkdir -p "${dropin%/*}"
    echo "create_main_cluster = false" >"$dropin"
    trap 'rm -f "$dropin"' EXIT
fi

install() {
    apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
        --no-install-recommends install "${missing[@]}" </dev/null
}
# Lists that are old name versions that the mirror no longer has.
install || { apt-get -q update && install; }
