#!/usr/bin/env bash
# Makes: the programs of a PostgreSQL server, from Debian. Each test that needs one starts its own in a temporary folder;
# the one that Debian sets up is left alone. About 20 s the first time.
# Prints (--print): the folder with its programs.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

programs() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin -type d 2>/dev/null | sort -V | tail -n 1; }
print_result() { programs; }
begin postgres "$@"

if [[ -x $(programs)/initdb ]]; then
  mark_done there
  say "PostgreSQL is there"
  exit 0
fi
need_packages postgresql
[[ -x $(programs)/initdb ]] || die "no initdb in /usr/lib/postgresql" "log: $CACHE/logs/$PART.log"
mark_done there
say "PostgreSQL: $(programs)"
