#!/usr/bin/env bash
# Finds a Julia of version 1.5 or newer, or installs the distribution's one, and prints its path as the only line on
# standard output; what is done is told on standard error. Called by scripts/setup.sh and by `mlpflow setup`.
#
# Order: $MLPFLOW_JULIA, a julia on PATH, the one that juliapkg already manages (next to $MLPFLOW_PYTHON), and, as root on
# a Debian-like machine, apt's julia package. Debian 12 has none, Debian 11 (bullseye) has 1.5.3, which runs on 12: it is
# taken from the mirror that apt is already configured with, pinned so low that nothing else comes from there.
set -euo pipefail

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
LIST=/etc/apt/sources.list.d/mlpflow-bullseye.list
PIN=/etc/apt/preferences.d/mlpflow-bullseye
LOG=${TMPDIR:-/tmp}/mlpflow-julia-$(id -u).log

source "$(dirname "${BASH_SOURCE[0]}")/julia_unwind.sh"

say() { echo "julia: $*" >&2; }

fail() {
    echo "julia: $*" >&2
    exit 1
}

# version_of PATH: "1.5.3", or nothing when PATH is not a working Julia. The startup file is none of our business.
version_of() {
    "$1" --startup-file=no --version 2>/dev/null | sed -n 's/^julia version \([0-9][0-9.]*\).*/\1/p'
}

# new_enough VERSION: is it 1.5 or newer?
new_enough() {
    local major minor
    IFS=. read -r major minor _ <<<"$1"
    ((major > 1 || (major == 1 && minor >= 5)))
}

# take PATH WHERE: print PATH and end, when it is a Julia that we can use.
take() {
    local version
    version=$(version_of "$1") || version=
    [[ -n $version ]] || return 1
    if ! new_enough "$version"; then
        say "passing over $1 ($2): version $version is older than 1.5"
        return 1
    fi
    mend_unwinder "$1"
    say "using $1, version $version ($2)"
    echo "$1"
    exit 0
}

look_for_existing() {
    if [[ -n ${MLPFLOW_JULIA:-} ]]; then
        local named
        named=$(command -v -- "$MLPFLOW_JULIA" || true)
        [[ -n $named ]] && (take "$named" "from MLPFLOW_JULIA") && exit 0
        fail "MLPFLOW_JULIA is '$MLPFLOW_JULIA', which is not a working Julia of version 1.5 or newer: correct it or unset it"
    fi
    local found
    found=$(command -v julia || true)
    if [[ -n $found ]]; then take "$found" "from PATH" || true; fi
    local managed
    if [[ -n ${MLPFLOW_PYTHON:-} ]] && managed=$(juliapkg_julia); then
        take "$managed" "managed by juliapkg" || true
    fi
}

# The Julia that juliapkg has already installed; asking juliapkg itself could start a download.
juliapkg_julia() {
    "$MLPFLOW_PYTHON" - <<'PYTHON' 2>/dev/null
import json, os, sys
project = os.environ.get("PYTHON_JULIAPKG_PROJECT") or os.path.join(sys.prefix, "julia_env")
with open(os.path.join(project, "pyjuliapkg", "meta.json")) as file:
    print(json.load(file)["executable"])
PYTHON
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" >>"$LOG" 2>&1
}

has_candidate() {
    apt-cache policy julia 2>/dev/null | grep -q 'Candidate: [0-9]'
}

# The mirror that serves this Debian release, from apt's own configuration.
configured_mirror() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        awk -v codename="$1" '$1 == codename { print $2; exit }'
}

# Runs also when a try fails or is broken off: its files could make every later apt-get update fail.
drop_bullseye() {
    rm -f "$LIST" "$PIN"
}

add_bullseye() {
    local codename mirror
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(configured_mirror "$codename")
    [[ -n $mirror ]] || fail "apt names no mirror for '$codename': install Julia yourself and set MLPFLOW_JULIA to its path"
    [[ -r $KEYRING ]] || fail "$KEYRING is missing: run 'apt-get install debian-archive-keyring' and try again"
    say "writing $LIST: Debian 11 (bullseye) from the mirror that apt already uses"
    say "writing $PIN: priority 50, so that nothing but julia is taken from there"
    trap drop_bullseye EXIT
    echo "deb [signed-by=$KEYRING] $mirror bullseye main" >"$LIST"
    printf 'Package: *\nPin: release n=bullseye\nPin-Priority: 50\n' >"$PIN"
}

install_from_apt() {
    : >"$LOG"
    say "no Julia found; installing the distribution's package (log: $LOG)"
    drop_bullseye
    # Finishes what an earlier installation that was broken off left half done; nothing to do otherwise.
    dpkg --configure -a >>"$LOG" 2>&1 ||
        fail "an earlier installation is half done: run 'dpkg --configure -a' and see what it says, then try again"
    apt update || fail "'apt-get update' failed (see $LOG): check the network and apt's configuration, then try again"
    if ! has_candidate; then
        add_bullseye
        apt update || fail "Debian 11 cannot be read from the configured mirror (see $LOG): install Julia yourself and set MLPFLOW_JULIA"
    fi
    apt install -y --no-install-recommends julia ||
        fail "'apt-get install julia' failed (see $LOG): install Julia yourself and set MLPFLOW_JULIA to its path"
    trap - EXIT
}

look_for_existing
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    fail "no Julia found: install Julia 1.5 or newer (or 'pip install juliapkg' and let it), or set MLPFLOW_JULIA to its path"
fi
if [[ $(id -u) != 0 ]]; then
    fail "no Julia found and not root: run this once as root, or install Julia 1.5 or newer, or set MLPFLOW_JULIA to its path"
fi
install_from_apt
take "$(command -v julia || echo /usr/bin/julia)" "from apt" ||
    fail "the julia that apt installed does not start (see $LOG): set MLPFLOW_JULIA to another one"
