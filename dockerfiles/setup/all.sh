#!/usr/bin/env bash
# Makes everything Ikigai needs on a Debian machine with Rust, Node, Python and git: each part of this folder in turn,
# and with --tests what the tests need besides. Says first how long it will take. Parts that are there take no time.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

PART=setup
# part, its script, and its minutes on two cores when nothing is there yet
parts=(
  "engine dockerfiles/setup/engine.sh 0.5"
  "base dockerfiles/setup/base.sh 0.7"
  "radicle dockerfiles/setup/radicle.sh 6"
  "code-server dockerfiles/setup/code-server.sh 1.5"
  "agent-tools dockerfiles/setup/agent-tools.sh 0.7"
  "agent-image dockerfiles/setup/agent-image.sh 1"
  "speckit dockerfiles/setup/speckit.sh 0.3"
)
case ${1-} in
  --tests) parts+=("browser tests/setup/browser.sh 0.5" "dashboard tests/setup/dashboard.sh 0.3" "postgres tests/setup/postgres.sh 0.4" "oidc tests/setup/oidc.sh 0.1" "node-image dockerfiles/setup/node-image.sh 5") ;;
  '') ;;
  *) die "unknown option $1" "usage: $0 [--tests]" ;;
esac

# What the parts are built with is looked at first, all of it, before minutes are spent.
node_is_new() { have npm && node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null; }
toolchains() {
  local lacking=() packages=()
  have cargo || lacking+=("Rust 1.95 or newer: https://rustup.rs")
  node_is_new || lacking+=("Node 20 or newer with npm: https://nodejs.org")
  ((${#lacking[@]} == 0)) || die "this machine lacks what Ikigai is built with:" "${lacking[@]}"
  have git || packages+=(git)
  have cc || packages+=(gcc libc6-dev)
  have c++ || packages+=(g++)
  have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
  ((${#packages[@]} == 0)) || need_packages "${packages[@]}"
}
toolchains

todo=()
for part in "${parts[@]}"; do
  read -r name _ minutes <<<"$part"
  # engine leaves no stamp: it is asked, not remembered.
  [[ $name == engine ]] && have dockerd || [[ -f $CACHE/stamps/$name ]] || todo+=("$minutes")
done
((${#todo[@]} == 0)) ||
  say "${#todo[@]} of ${#parts[@]} parts to make, about $(printf '%s\n' "${todo[@]}" | awk '{s += $1} END {printf "%d", s + 0.99}') min on two cores"

number=0
for part in "${parts[@]}"; do
  read -r name script _ <<<"$part"
  number=$((number + 1))
  PROGRESS="$number/${#parts[@]} $name" "$ROOT/$script"
done
