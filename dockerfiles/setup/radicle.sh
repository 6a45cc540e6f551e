#!/usr/bin/env bash
# Makes: the Radicle programs rad, radicle-node and git-remote-rad, built from their published sources. About 7 min
# of two cores the first time: a cheap build profile, one target folder for the three.
# Prints (--print): the folder they are in.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

node=0.21.1 cli=0.23.0 helper=0.18.1
bin=$CACHE/radicle/bin
print_result() { echo "$bin"; }
begin radicle "$@"

key=$(hash_text 1 $node $cli $helper "$(uname -m)")
if is_done "$key" && [[ -x $bin/rad && -x $bin/radicle-node && -x $bin/git-remote-rad ]]; then
  put_env IKIGAI_RADICLE_BIN "$bin"
  say "Radicle programs are there"
  exit 0
fi

need_program cargo "get Rust 1.95 or newer from https://rustup.rs"
need_program cc "as root: apt-get install gcc libc6-dev"
need_program git "as root: apt-get install git"

unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
export CARGO_TARGET_DIR=$CACHE/radicle/target
export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
  CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols

build() {
  say "building $1 $2, about $3 …"
  # Outside a git checkout the programs do not know their version; this tells them.
  GIT_HEAD=release RADICLE_VERSION=$2 logged cargo install --locked --force --root "$CACHE/radicle" "$1@$2"
}
build radicle-node $node "3 min"
build radicle-cli $cli "3 min"
build radicle-remote-helper $helper "1 min"

"$bin/rad" --version >/dev/null || die "rad does not run" "remove $CACHE/radicle and try again"
rm -rf "$CARGO_TARGET_DIR"
put_env IKIGAI_RADICLE_BIN "$bin"
mark_done "$key"
say "Radicle programs: $bin"
