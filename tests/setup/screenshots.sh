#!/usr/bin/env bash
# Makes: docs/images/demo.png (the end of a run of the demo) and docs/images/editor.png (the editor of the agent it kept).
# As long as the demo takes, and 20 s. `make screenshots` calls it with the environment that setup wrote.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

PART=screenshots
: "${IKIGAI_BIN:?run: make screenshots}" "${IKIGAI_CHROMIUM:?run: make setup-tests}" "${IKIGAI_PLAYWRIGHT:?run: make setup-tests}"
images=$ROOT/docs/images
output=$CACHE/logs/demo-output.txt
mkdir -p "$images"

say "running the demo …"
NO_COLOR=1 KEEP=1 "$IKIGAI_BIN" demo 2>&1 | tee "$output"

say "drawing $images/demo.png"
node "$ROOT/tests/setup/picture.cjs" terminal "$output" "$images/demo.png"
editor=$(grep -oE 'http://[a-z0-9.-]+\.localhost:[0-9]+/[^[:space:]]*' "$output" | tail -n 1)
[[ -n $editor ]] || die "the demo named no editor" "its output: $output"
say "drawing $images/editor.png"
node "$ROOT/tests/setup/picture.cjs" editor "$editor" "$images/editor.png"
