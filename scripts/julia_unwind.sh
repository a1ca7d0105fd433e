# Gives Debian's Julia 1.5 the stack unwinder it was built with. Sourced by scripts/julia.sh, whose functions it uses.
#
# Debian 12's libunwind 1.6 walks some of Julia 1.5's stacks into unmapped memory: an error that Julia's own compiler throws
# and catches while it works then ends the process with a segmentation fault. Debian 11's libunwind 1.3 does not. It is put
# into Julia's private library folder, which libjulia searches first; the system's own libunwind stays as it is.

# unwinder_to_mend JULIA: "FOLDER VERSION" when JULIA is a 1.5 that dpkg owns, next to a libunwind newer than it knows.
unwinder_to_mend() {
    command -v dpkg-query >/dev/null && dpkg-query -S "$(readlink -f "$1")" >/dev/null 2>&1 || return 1
    [[ $(version_of "$1") == 1.5.* ]] || return 1
    local installed folder
    installed=$(dpkg-query -W -f '${Version}' libunwind8 2>/dev/null) || return 1
    dpkg --compare-versions "$installed" ge 1.4 || return 1
    folder=$(dirname "$(/sbin/ldconfig -p | awk '/libjulia\.so\.1 / { print $NF; exit }')")/julia
    [[ -d $folder && ! -e $folder/libunwind.so.8 ]] && echo "$folder $installed"
}

older_unwinder() {
    apt-cache madison libunwind8 2>/dev/null | awk '$3 ~ /^1\.3/ { print $3; exit }'
}

# download_unwinder INTO: fetch and unpack Debian 11's package there; apt checks its signature.
download_unwinder() {
    [[ -n $(older_unwinder) ]] || { add_bullseye && apt update; } || return 1
    local older
    older=$(older_unwinder)
    [[ -n $older ]] && (cd "$1" && apt download "libunwind8=$older") && dpkg-deb -x "$1"/libunwind8_*.deb "$1/files"
}

# mend_unwinder JULIA: never fails; a Julia that cannot be mended still runs, and is warned about.
mend_unwinder() {
    local folder installed scratch
    read -r folder installed <<<"$(unwinder_to_mend "$1")" || true
    [[ -n $folder ]] || return 0
    local hint="libunwind $installed can crash Julia 1.5"
    if [[ ! -w $folder ]]; then
        say "warning: $hint: run the set-up once as root to give Julia the older one, or set MLPFLOW_JULIA to a newer Julia"
        return 0
    fi
    scratch=$(mktemp -d) && chmod 755 "$scratch"
    if download_unwinder "$scratch"; then
        # Under another name first: a Julia that starts meanwhile must not find half a library.
        cp -L "$(find "$scratch/files" -name libunwind.so.8 | head -n 1)" "$folder/.libunwind.so.8.new"
        mv "$folder/.libunwind.so.8.new" "$folder/libunwind.so.8"
        say "put Debian 11's libunwind into $folder for Julia alone: $hint"
    else
        say "warning: $hint, and Debian 11's could not be had (see $LOG): set MLPFLOW_JULIA to a newer Julia"
    fi
    rm -rf "$scratch"
}
