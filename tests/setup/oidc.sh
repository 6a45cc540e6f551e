#!/usr/bin/env bash
# Makes: the npm package oidc-provider, a certified OpenID provider, for tests of log-in. About 5 s the first time.
# Prints (--print): its folder.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

version=9.13.3
modules=$CACHE/staging/oidc-provider-$version
folder=$modules/node_modules/oidc-provider
print_result() { echo "$folder"; }
begin oidc "$@"

key=$(hash_text 1 $version)
if is_done "$key" && [[ -f $folder/lib/index.js ]]; then
  put_env IKIGAI_OIDC_PROVIDER "$folder"
  say "oidc-provider is there"
  exit 0
fi

say "oidc-provider $version, about 5 s …"
need_program npm "get Node 20 or newer with npm"
logged npm install --ignore-scripts --no-audit --no-fund --prefix "$modules" "oidc-provider@$version"
put_env IKIGAI_OIDC_PROVIDER "$folder"
mark_done "$key"
say "oidc-provider: $folder"
