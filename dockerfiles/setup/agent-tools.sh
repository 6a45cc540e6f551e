#!/usr/bin/env bash
# Makes: the image `ikigai-agent-tools:dev`: base image, Codex CLI, Node and code-server. 40 s after code-server.sh.
# Prints (--print): the image's name.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

codex=0.169.0
image=ikigai-agent-tools:dev
print_result() { echo "$image"; }
begin agent-tools "$@"

case $(uname -m) in
  x86_64) arch=x64 triple=x86_64-unknown-linux-musl ;;
  aarch64) arch=arm64 triple=aarch64-unknown-linux-musl ;;
  *) die "no Codex build for $(uname -m)" ;;
esac
here=$(dirname "$(readlink -f "$0")")
base=$("$here/base.sh" --print)
need_engine
image_exists "$base" || die "the base image is missing" "run: $here/base.sh"
editor=$("$here/code-server.sh" --print)
[[ -x $editor/bin/node ]] || die "code-server is missing" "run: $here/code-server.sh"
key=$(hash_text 1 "$codex" "$(image_id "$base")" "$(<"$CACHE/stamps/code-server")" \
  "$(hash_of "$here/../agent-tools.Dockerfile")")
stage=$CACHE/staging/codex-$codex
if is_done "$key" && image_exists "$image" && [[ -x $stage/bin/codex ]]; then
  put_env IKIGAI_CODEX_BIN "$stage/bin"
  say "agent tools image is there"
  exit 0
fi

if [[ ! -x $stage/bin/codex ]]; then
  say "Codex CLI $codex: fetching, about 10 s …"
  need_program npm "get Node 20 or newer with npm"
  rm -rf "$stage" "$stage.work"
  mkdir -p "$stage/bin"
  logged npm install --ignore-scripts --no-audit --no-fund --prefix "$stage.work" "@openai/codex@$codex"
  vendor=$stage.work/node_modules/@openai/codex-linux-$arch/vendor/$triple
  # The programs alone: both are static. Models with code mode need the second beside the first.
  cp "$vendor/bin/codex" "$vendor/bin/codex-code-mode-host" "$vendor/codex-path/rg" "$stage/bin/"
  rm -rf "$stage.work"
fi

say "building the agent tools image, about 40 s …"
context=$CACHE/staging/agent-tools.context
rm -rf "$context"
mkdir -p "$context/usr/local"
cp -al "$stage/bin" "$context/usr/local/" # hard links: nothing is copied
cp -al "$editor/." "$context/usr/local/"
logged docker build --force-rm --build-arg "BASE=$base" -t "$image" -f "$here/../agent-tools.Dockerfile" "$context"
rm -rf "$context"
logged docker run --rm --network none --read-only "$image" codex --version
put_env IKIGAI_CODEX_BIN "$stage/bin"
mark_done "$key"
say "agent tools image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
