#!/usr/bin/env bash
# What the scripts of this folder share: where the cache is, stamps, progress, Debian packages. Makes nothing by itself.
#
# A script sources it, calls `begin NAME "$@"`, does its work unless `is_done KEY` says it is there, and ends with
# `mark_done KEY`. The key is made of versions and input files, so a changed input makes the part again, nothing else.
set -euo pipefail

export ROOT
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ikigai
export DOCKER_BUILDKIT=0 # the classic builder: works with every client, Debian's own included
mkdir -p "$CACHE"/{stamps,locks,logs,staging,images,radicle,venv}

# PROGRESS is "3/7" when a Makefile runs several parts in a row.
say() { printf '[%s] %s\n' "${PROGRESS:-${PART:-setup}}" "$*" >&2; }
die() {
  printf '[%s] error: %s\n' "${PART:-setup}" "$1" >&2
  shift
  (($# == 0)) || printf '    %s\n' "$@" >&2
  exit 1
}

# begin NAME [--print]: with --print, prints where the result is (the script's print_result) and ends.
begin() {
  PART=$1
  case ${2-} in
    --print)
      print_result
      exit 0
      ;;
    '') ;;
    *) die "unknown option ${2-}" "usage: $0 [--print]" ;;
  esac
  exec 9>"$CACHE/locks/$PART"
  flock 9 # two runs at once: the second waits, then finds everything done
}

hash_of() { sha256sum "$@" | cut -d' ' -f1 | sha256sum | cut -c1-16; }
hash_text() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

is_done() { [[ -f $CACHE/stamps/$PART && $(<"$CACHE/stamps/$PART") == "$1" ]]; }
mark_done() { printf '%s\n' "$1" >"$CACHE/stamps/$PART"; }

# put_env NAME VALUE: one line of $CACHE/env, which a shell can source and which tests and the demo read.
put_env() {
  local file=$CACHE/env
  touch "$file"
  [[ $(grep "^$1=" "$file") != "$1='$2'" ]] || return 0
  (
    flock 8
    { grep -v "^$1=" "$file" || true; printf "%s='%s'\n" "$1" "$2"; } >"$file.new"
    mv "$file.new" "$file"
  ) 8>"$CACHE/locks/env"
}

# Runs a command with its output in a log; on failure shows the end of it.
logged() {
  local log=$CACHE/logs/$PART.log
  printf '\n== %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    die "this failed: $*" "its whole output: $log"
  }
}

have() { command -v "$1" >/dev/null 2>&1; }

# need_program NAME HOW-TO-GET-IT
need_program() { have "$1" || die "$1 is not installed" "$2"; }

missing_packages() {
  local p
  for p in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null) == ii* ]] || echo "$p"
  done
}

# need_packages PKG…: Debian packages. Root gets them; others see the command, and are asked when there is a terminal.
need_packages() {
  have dpkg-query || die "this machine is no Debian; needed are what Debian calls: $*"
  local missing install sudo=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if ((EUID == 0)); then
    say "installing ${missing[*]}"
  elif [[ -t 0 ]] && have sudo; then
    say "missing: ${missing[*]}"
    read -r -p "    run: sudo sh -c '$install' ? [y/N] " answer
    [[ $answer == [yY]* ]] || die "stopped: ${missing[*]} not installed" "as root: $install"
    sudo=(sudo)
    sudo -v || die "sudo did not work" "as root: $install"
  else
    die "missing: ${missing[*]}" "as root: $install"
  fi
  logged "${sudo[@]}" apt-get update
  logged "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
  printf '%s\n' "${missing[@]}" >>"$CACHE/installed-packages"
}

need_engine() {
  docker version --format . >/dev/null 2>&1 || die "no Docker engine answers" "run: $ROOT/dockerfiles/setup/engine.sh"
}
image_exists() { docker image inspect "$1" >/dev/null 2>&1; }
image_id() { docker image inspect --format '{{.Id}}' "$1"; }
