#!/usr/bin/env bash
# Keeps the build folder within the disk. Without an argument, before a build: when little is free, first what only
# speeds up the next change goes, then the whole build. With --sweep, after one: what the present sources do not use.
# A build folder grows by some GB with every change of a dependency, and cargo itself removes nothing.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

PART=room
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
target=$CARGO_TARGET_DIR
enough=12 # GB: what a build adds to a former one, the images, and what the tests write
mkdir -p "$target"
free() { df --output=avail -BG "$target" | tr -dc 0-9; }

# What `make` builds, told by cargo: one path a line. Everything is fresh, so nothing is compiled here.
in_use() {
  local quiet=(--locked --quiet --message-format=json)
  {
    cargo build "${quiet[@]}" -p ikigai-cli -p ikigai-agentd &&
      cargo test "${quiet[@]}" --workspace --no-run &&
      cargo clippy "${quiet[@]}" --workspace --all-targets -- -D warnings &&
      RUSTDOCFLAGS="-D warnings" cargo doc "${quiet[@]}" --workspace --lib --no-deps
  } | python3 -c '
import json, sys
for line in sys.stdin:
    told = json.loads(line)
    print(*told.get("filenames", []), *filter(None, [told.get("out_dir")]), sep="\n")'
}

sweep() {
  local list
  list=$(mktemp)
  in_use >"$list" || die "cargo does not tell what it built: nothing is swept"
  python3 - "$target/debug" "$list" <<'PYTHON'
import os, pathlib, re, shutil, sys

debug, told = pathlib.Path(sys.argv[1]), sys.argv[2]
paths = [line.strip() for line in open(told) if line.strip()]
if not paths:
    sys.exit("cargo told nothing of its build: nothing is swept")
hashed = re.compile(r"-([0-9a-f]{16})(?=[./]|$)")
used = {found for path in paths for found in hashed.findall(path)}
# A program is told by its plain name, which is a hard link to the one with the hash.
inodes = {os.stat(path).st_ino for path in paths if os.path.isfile(path)}
entries = [e for folder in ("deps", "examples", "build", ".fingerprint") if (debug / folder).is_dir()
           for e in os.scandir(debug / folder)]
used |= {found for e in entries if e.inode() in inodes for found in hashed.findall(e.name)}
freed = 0
for entry in entries:
    found = hashed.findall(entry.name)
    if not found or found[-1] in used:
        continue
    if entry.is_dir(follow_symlinks=False):
        if any(name.startswith("doc-") for name in os.listdir(entry.path)):
            continue  # a page's mark: cargo tells the page, which has no hash
        shutil.rmtree(entry.path)
    else:
        freed += entry.stat(follow_symlinks=False).st_size
        os.unlink(entry.path)
print(f"[room] {freed / 1e9:.1f} GB of former builds removed", file=sys.stderr)
PYTHON
  rm -f "$list"
}

make_room() {
  (($(free) >= enough)) || { say "$(free) GB free: removing what speeds up small changes" && rm -rf "$target"/*/incremental; }
  (($(free) >= enough)) || { say "$(free) GB free: removing the former build" && rm -rf "$target" && mkdir "$target"; }
  (($(free) >= 25)) || [[ -d $target/debug ]] || say "$(free) GB free: a build from nothing and its tests take up to 25"
  (($(free) >= enough)) || die "only $(free) GB are free for $target" \
    "free some space, or set XDG_CACHE_HOME to a folder on a larger disk"
  say "$(free) GB are free"
}

case ${1-} in
  --sweep) sweep ;;
  '') make_room ;;
  *) die "unknown option $1" "usage: $0 [--sweep]" ;;
esac
