#!/usr/bin/env bash
# Makes, in docs/images: demo.png (the end of a run of the demo), editor.png (the editor of the agent it kept), board.png
# and review.png (the dashboard of a node while it works on the demo's feature).
# As long as the demo takes, and two minutes. `make screenshots` calls it with the environment that setup wrote;
# `tests/setup/screenshots.sh dashboard` makes the last two only.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

PART=screenshots
: "${IKIGAI_BIN:?run: make screenshots}" "${IKIGAI_CHROMIUM:?run: make setup-tests}" "${IKIGAI_PLAYWRIGHT:?run: make setup-tests}"
images=$ROOT/docs/images
mkdir -p "$images"

# picture KIND SOURCE NAME
picture() {
  say "drawing $images/$3"
  node "$ROOT/tests/setup/picture.cjs" "$1" "$2" "$images/$3"
}

demo() {
  local output=$CACHE/logs/demo-output.txt editor
  say "running the demo …"
  NO_COLOR=1 KEEP=1 "$IKIGAI_BIN" demo 2>&1 | tee "$output"
  picture terminal "$output" demo.png
  editor=$(grep -oE 'http://[a-z0-9.-]+\.localhost:[0-9]+/[^[:space:]]*' "$output" | tail -n 1)
  [[ -n $editor ]] || die "the demo named no editor" "its output: $output"
  picture editor "$editor" editor.png
}

# The feature in a checkout of its own, on a node of its own.
dashboard() {
  local feature=specs/001-text-stats log=$CACHE/logs/screenshots-node.log node task
  work=$(mktemp -d)
  mkdir -p "$work/shop/$feature" "$work/shop/.specify"
  cp "$ROOT/$feature"/{spec,plan,tasks}.md "$work/shop/$feature"
  echo "{\"feature_directory\":\"$feature\"}" >"$work/shop/.specify/feature.json"
  git -C "$work/shop" init -qb main
  git -C "$work/shop" add -A
  git -C "$work/shop" -c user.name=Ada -c user.email=ada@ikigai.invalid commit -qm "the feature's specification"
  cat >"$work/ikigai.toml" <<TOML
node = { name = "laptop", slots = 3 }
http = { listen = "127.0.0.1:0" }
mesh = { listen = [] }
executor = { backend = "docker", image = "${IKIGAI_AGENT_IMAGE:?run: make setup-tests}" }
forge = { backend = "git" }
models = { scripted = { kind = "scripted", script = "$ROOT/$feature/model.toml" } }
prices = { "scripted/*" = { input = 0, output = 0 } }
task = { provider = "scripted", cpu_millis = 250, memory_bytes = 1073741824 }
TOML
  say "starting a node …"
  "$IKIGAI_BIN" --home "$work/home" up --config "$work/ikigai.toml" >"$log" 2>&1 &
  node=$!
  # shellcheck disable=SC2064 # the node of now
  trap "kill $node; wait $node || true; rm -rf '$work'" EXIT
  grep -qm1 '^ready ' < <(timeout 60 tail -F --pid=$node "$log" 2>/dev/null) || die "the node does not start" "its log: $log"
  cd "$work/shop"
  ikigai task new >&2
  for task in T001 T002 T003; do accept $task; done
  wait_for T006
  picture board "$(ikigai open --print)" board.png
  for task in T006 T004 T005 T007; do accept $task; done
  wait_for T008
  picture review "$(ikigai open --print)" review.png
  ikigai task stop T008 >&2
}

ikigai() { "$IKIGAI_BIN" --home "$work/home" "$@"; }
wait_for() { ikigai task wait "$1" --state review --timeout 2m >&2; }
accept() { wait_for "$1" && ikigai patch accept "$1" >&2; }

case ${1-all} in
  all) demo && dashboard ;;
  dashboard) dashboard ;;
  *) die "unknown part $1" "usage: $0 [dashboard]" ;;
esac
