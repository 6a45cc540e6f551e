#!/usr/bin/env bash
# All tests, in two lanes side by side: those of whole nodes (--test e2e) mostly wait, the others mostly compute. What
# the first lane said is shown when the second has ended. Both are built first, by one command with one set of
# features, so that neither compiles beside the other.
set -euo pipefail

# As cargo's runner: every test program but the one that runs beside.
if [[ ${1-} == --but-e2e ]]; then
  [[ $(basename "$2") != e2e-* ]] || exec echo "[test] whole nodes run beside these"
  exec "${@:2}"
fi

cd "$(dirname "$0")/../.."
tests=(test --workspace --locked --no-fail-fast)
program=$(cargo "${tests[@]}" --no-run --message-format=json-render-diagnostics | python3 -c '
import json, sys
told = map(json.loads, sys.stdin)
programs = [t["executable"] for t in told if t.get("executable") and t["target"]["name"] == "e2e"]
print(*programs or sys.exit(1))')

said=$(mktemp)
trap 'rm -f "$said"' EXIT
set -m # a process group of its own, so that whoever ends this script ends also what it runs
(cd tests && exec "$program") >"$said" 2>&1 &
whole=$!
set +m
trap 'kill -- "-$whole" 2>/dev/null || true; rm -f "$said"' EXIT

failed=0
runner="target.'cfg(all())'.runner = ['$PWD/tests/setup/test.sh', '--but-e2e']"
cargo --config "$runner" "${tests[@]}" || failed=$?

echo "[test] the tests of whole nodes (--test e2e), which ran beside these"
wait "$whole" || failed=$?
cat "$said"
exit "$failed"
