# Sourced by the other scripts: where the repository is, and how to install what it needs.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 69
}

# Installs the Debian packages named that are not there yet.
ensure_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        fail "these libraries are missing and there is no apt-get to install them: ${missing[*]}
    install GSL, SQLite and zlib with their headers by your system's package manager, then run this again"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "installing ${missing[*]} needs root: run 'apt-get install ${missing[*]}' as root"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What the package links and what the compiler needs beside the Swift toolchain.
ensure_build_tools() {
    command -v swift >/dev/null || fail "there is no Swift toolchain on the PATH: install Swift 6.2 or later from swift.org"
    if command -v dpkg-query >/dev/null; then
        ensure_packages git g++ libgsl-dev libsqlite3-dev zlib1g-dev openssl
    else
        say "No Debian package database here: GSL, SQLite and zlib must be installed with their headers"
    fi
}

# Installs the PyPI packages named into the virtual environment $1, which git ignores. Fails without ending the script.
ensure_python_packages() {
    local folder=$1
    shift
    if [ ! -x "$folder/bin/pip" ]; then
        python3 -c 'import ensurepip' 2>/dev/null || ensure_packages python3 python3-venv || return 1
        python3 -m venv "$folder" || return 1
    fi
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
}

# Builds the release executable and leaves its path in $tidegate.
build_release() {
    say "Building tidegate (release; a first build takes a few minutes)"
    swift build -c release --product tidegate
    tidegate=$(swift build -c release --show-bin-path)/tidegate
}

# Puts the programs of Debian's package prometheus under .build-prometheus: the package itself would start a server.
ensure_prometheus() {
    local programs=.build-prometheus/usr/bin scratch
    [ ! -x "$programs/prometheus" ] || return 0
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    mkdir -p .build-prometheus
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    (cd "$scratch" && apt-get download -qq prometheus) >/dev/null 2>&1 ||
        (cd "$scratch" && apt-get update -qq && apt-get download -qq prometheus) >/dev/null 2>&1 || return 1
    dpkg-deb --fsys-tarfile "$scratch"/prometheus_*.deb | tar -x -C .build-prometheus ./usr/bin/promtool ./usr/bin/prometheus
    rm -rf "$scratch"
    [ -x "$programs/prometheus" ]
}

# Builds the release executable of the live plane and leaves its path in $live.
build_live() {
    say "Building tidegate-live (release; a first build takes ten minutes or more)"
    swift build -c release --product tidegate-live
    live=$(swift build -c release --show-bin-path)/tidegate-live
}

# The words before a command whose processes are to run before what else the machine does; none where that is not allowed.
urgently() { if chrt -r 50 true 2>/dev/null; then echo chrt -r 50; fi; }
