#!/usr/bin/env bash
# Makes: cargo-deny (licences, bans and sources of dependencies) and shellcheck, which `make check` runs.
# About 5 min the first time: cargo-deny is compiled, with a cheap build profile.
# Prints (--print): the folder cargo-deny is in.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

version=0.20.2
root=$CACHE/cargo-deny
print_result() { echo "$root/bin"; }
begin lint "$@"

key=$(hash_text 1 $version)
if is_done "$key" && [[ -x $root/bin/cargo-deny ]] && have shellcheck; then
  say "cargo-deny and shellcheck are there"
  exit 0
fi

have shellcheck || need_packages shellcheck
say "building cargo-deny $version, about 5 min …"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
export CARGO_TARGET_DIR=$CACHE/staging/cargo-deny.target
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
  CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols
logged cargo install --locked --force --root "$root" "cargo-deny@$version"
rm -rf "$CARGO_TARGET_DIR"
mark_done "$key"
say "cargo-deny: $root/bin"
