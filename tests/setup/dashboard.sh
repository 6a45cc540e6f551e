#!/usr/bin/env bash
# Makes: the npm packages that build the dashboard, in the versions of web/package-lock.json. About 15 s the first time.
# --build then makes the site: the API's types from docs/openapi.json, and node/surface/dashboard/dist.
# --check makes it too, and compares it with what is committed.
# Prints (--print): the folder of the packages.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

here=node/surface/dashboard
key=$(hash_of "$ROOT/$here/web/package-lock.json")
folder=$CACHE/staging/dashboard-$key
print_result() { echo "$folder/node_modules"; }
task=
case ${1-} in --build | --check) task=$1 && shift ;; esac
begin dashboard "$@"

if ! is_done "$key" || [[ ! -d $folder/node_modules/vite ]]; then
  say "npm packages of the dashboard, about 15 s …"
  need_program npm "get Node 20 or newer with npm"
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$ROOT/$here"/web/{package.json,package-lock.json,.npmrc} "$folder"
  logged npm ci --prefix "$folder"
  mark_done "$key"
fi
put_env IKIGAI_DASHBOARD "$folder/node_modules"
if [[ -z $task ]]; then
  say "npm packages of the dashboard are there"
  exit 0
fi

# A copy is built, so that nothing in the sources' folder but the sources themselves decides what comes out.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/docs" "$work/$here"
cp "$ROOT/docs/openapi.json" "$work/docs"
tar -C "$ROOT/$here" --exclude=node_modules -c web | tar -C "$work/$here" -x
ln -s "$folder/node_modules" "$work/$here/web/node_modules"
cd "$work/$here/web"
for step in types check test build; do
  logged npm run "$step"
done
for part in dist web/src/api/api.gen.ts; do
  if [[ $task == --check ]]; then
    diff -rq "$ROOT/$here/$part" "$work/$here/$part" >&2 || die "$here/$part is not what its sources make" "run: make dashboard"
  else
    rm -rf "${ROOT:?}/$here/$part"
    cp -r "$work/$here/$part" "$ROOT/$here/$part"
  fi
done
say "$here/dist: $(du -bs "$work/$here/dist" | cut -f1) bytes"
