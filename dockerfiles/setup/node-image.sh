#!/usr/bin/env bash
# Makes: the image `ikigai-node`, a node to be run with `docker run` (see README). 10 s once `ikigai` is built,
# about 5 min with a cold build.
# Prints (--print): the image's name.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

image=ikigai-node
print_result() { echo "$image"; }
begin node-image "$@"

here=$(dirname "$(readlink -f "$0")")
base=$("$here/base.sh" --print)
radicle=$("$here/radicle.sh" --print)
agent=$("$here/agent-image.sh" --print 2>/dev/null) || die "the agent image is missing" "run: make image"
need_engine
image_exists "$base" || die "the base image is missing" "run: $here/base.sh"
[[ -x $radicle/rad ]] || die "the Radicle programs are missing" "run: $here/radicle.sh"

need_program cargo "get Rust 1.95 or newer from https://rustup.rs"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
cd "$ROOT"
built=$CARGO_TARGET_DIR/debug/ikigai
[[ -x $built ]] || say "compiling ikigai, about 5 min …"
# As `make build` says it: with other packages, or without, cargo would build most of it once more.
logged cargo build --locked -p ikigai-cli -p ikigai-agentd

key=$(hash_text 1 "$(image_id "$base")" "$agent" "$(stat -c "%n %s %Y" "$radicle"/*)" \
  "$(hash_of "$built" "$here/../node.Dockerfile")")
if is_done "$key" && image_exists "$image"; then
  say "node image is there"
  exit 0
fi

say "building the node image, about 10 s …"
context=$CACHE/staging/node.context
rm -rf "$context"
mkdir -p "$context/bin"
cp "$radicle"/{rad,radicle-node,git-remote-rad} "$context/bin/"
strip -o "$context/bin/ikigai" "$built"
logged docker build --force-rm --build-arg "BASE=$base" --build-arg "AGENT_IMAGE=$agent" -t "$image" \
  -f "$here/../node.Dockerfile" "$context"
rm -rf "$context"
# The program is built on this machine: a newer C library here would not be there in the image.
docker run --rm --network none "$image" version >>"$CACHE/logs/$PART.log" 2>&1 ||
  die "ikigai does not run in the image" "log: $CACHE/logs/$PART.log" "it needs Debian 12's C library (2.36) or older"
put_env IKIGAI_NODE_IMAGE "$(image_id "$image")"
mark_done "$key"
say "node image $image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
