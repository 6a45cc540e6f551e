#!/usr/bin/env bash
# All tests, in two lanes side by side: those of whole nodes mostly wait, the others mostly compute. What the first
# lane said is shown when the second has ended. Both are built first, so that neither compiles beside the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=(cargo test --workspace --locked --no-fail-fast)

"${tests[@]}" --no-run

said=$(mktemp)
trap 'rm -f "$said"' EXIT
set -m # a process group of its own, so that whoever ends this script ends also what it runs
"${tests[@]}" --test e2e >"$said" 2>&1 &
whole=$!
set +m
trap 'kill -- "-$whole" 2>/dev/null || true; rm -f "$said"' EXIT

failed=0
"${tests[@]}" --lib --bins --test '[!e]*' --test 'e[!2]*' || failed=$?
"${tests[@]}" --doc || failed=$?

echo "[test] the tests of whole nodes (--test e2e), which ran beside these"
wait "$whole" || failed=$?
cat "$said"
exit "$failed"
