#!/usr/bin/env bash
# Makes: the image `ikigai-agent:dev` every agent runs in: the tools image, agentd as PID 1, agent-image/rootfs.
# About 1 min the first time (agentd is compiled), 3 s after a change, nothing otherwise.
# Prints (--print): the image's digest, which is how the node names it. It is also in the cache: images/agent.digest.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

image=ikigai-agent:dev
digest=$CACHE/images/agent.digest
print_result() { cat "$digest"; }
begin agent-image "$@"

here=$(dirname "$(readlink -f "$0")")
tools=$("$here/agent-tools.sh" --print)
need_engine
image_exists "$tools" || die "the agent tools image is missing" "run: $here/agent-tools.sh"

need_program cargo "get Rust 1.95 or newer from https://rustup.rs"
triple=$(uname -m)-unknown-linux-gnu
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
# A static glibc: the program must run whatever the image holds. With --target, the flag leaves build scripts alone.
flags=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$triple")_RUSTFLAGS
export "$flags=-C target-feature=+crt-static"
cd "$ROOT"
built=$CARGO_TARGET_DIR/$triple/release/ikigai-agentd
# cargo decides whether there is anything to do; when there is, it takes about a minute.
[[ -x $built ]] || say "compiling agentd, about 1 min …"
logged cargo build -p ikigai-agentd --release --target "$triple"

key=$(hash_text 1 "$(image_id "$tools")" "$(hash_of "$built" "$here/../agent.Dockerfile")" \
  "$(cd agent-image/rootfs && find . -type f -print0 | sort -z | xargs -0 sha256sum)")
if is_done "$key" && image_exists "$(cat "$digest" 2>/dev/null)"; then
  put_env IKIGAI_AGENT_IMAGE "$(<"$digest")"
  say "agent image is there"
  exit 0
fi

context=$CACHE/staging/agent.context
rm -rf "$context"
mkdir -p "$context/rootfs/usr/local/bin"
cp -a agent-image/rootfs/. "$context/rootfs/"
chmod -R u=rwX,go=rX "$context/rootfs"
strip -o "$context/rootfs/usr/local/bin/ikigai-agentd" "$built"
logged docker build --force-rm --build-arg "TOOLS=$tools" -t "$image" -f "$here/../agent.Dockerfile" "$context"
rm -rf "$context"
image_id "$image" >"$digest"
put_env IKIGAI_AGENT_IMAGE "$(<"$digest")"
mark_done "$key"
say "agent image $(<"$digest")"
