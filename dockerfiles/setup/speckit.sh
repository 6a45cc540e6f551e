#!/usr/bin/env bash
# Makes: Spec-Kit's own program `specify`, in a Python environment of its own. About 15 s the first time.
# Prints (--print): the program.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

version=1.2.3
venv=$CACHE/venv/specify-$version
print_result() { echo "$venv/bin/specify"; }
begin speckit "$@"

key=$(hash_text 1 $version)
if is_done "$key" && [[ -x $venv/bin/specify ]]; then
  put_env IKIGAI_SPECIFY "$venv/bin/specify"
  say "specify is there"
  exit 0
fi

say "Spec-Kit's specify $version, about 15 s"
need_program python3 "as root: apt-get install python3 python3-venv"
rm -rf "$venv"
python3 -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
logged python3 -m venv "$venv"
logged "$venv/bin/pip" install --disable-pip-version-check "specify-cli==$version"
logged "$venv/bin/specify" --help
put_env IKIGAI_SPECIFY "$venv/bin/specify"
mark_done "$key"
say "specify: $venv/bin/specify"
