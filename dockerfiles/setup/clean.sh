#!/usr/bin/env bash
# Removes what `make demo` and the tests made on this machine: nodes' containers and volumes, the images, the state of
# the node, a dockerd that setup started. Keeps the cache (~/.cache/ikigai) and Debian packages. A few seconds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

PART=clean
ikigai=${CARGO_TARGET_DIR:-$CACHE/target}/debug/ikigai
if [[ -x $ikigai ]]; then
  "$ikigai" demo --clean >&2 || say "the demo could not clean up after itself"
  if "$ikigai" down >/dev/null 2>&1; then say "node stopped"; fi
fi

if have docker && docker version >/dev/null 2>&1; then
  remove() { # remove WORDS… : the ids on standard input, when there are any
    local ids
    mapfile -t ids
    ((${#ids[@]} == 0)) || { docker "$@" "${ids[@]}" >/dev/null && say "${*}: ${#ids[@]}"; }
  }
  docker ps -aq --filter label=dev.ikigai.node | remove rm -f
  docker ps -aq --filter label=dev.ikigai.image | remove rm -f
  docker volume ls -q --filter label=dev.ikigai.node | remove volume rm
  # An image goes before the one it is built on.
  for kind in agent node agent-tools base; do
    docker images -q --filter "label=dev.ikigai.image=$kind" | sort -u | remove rmi -f
  done
fi

# The node's own folder, found as the node finds it. What is there is the work of agents: it goes only when told so.
home=${IKIGAI_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/ikigai}
((EUID != 0)) || home=${IKIGAI_HOME:-/var/lib/ikigai}
if [[ -d $home ]]; then
  if [[ ${FORCE:-} == 1 ]]; then
    rm -rf "$home"
    say "removed $home"
  else
    say "kept $home: it may hold unpushed work; FORCE=1 removes it too"
  fi
fi

if [[ -f $CACHE/dockerd.pid ]]; then
  pid=$(<"$CACHE/dockerd.pid")
  if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
    kill "$pid"
    say "stopping the dockerd that setup started"
    for _ in {1..100}; do [[ -d /proc/$pid ]] && sleep 0.1; done
  fi
  rm -f "$CACHE/dockerd.pid"
fi
rm -f "$CACHE/stamps/"{base,agent-tools,agent-image,node-image} "$CACHE/images/agent.digest"
say "the cache stays: $CACHE ($(du -sh "$CACHE" | cut -f1)); remove it by hand if you want the space back"
if [[ -f $CACHE/installed-packages ]]; then
  say "Debian packages that setup installed: $(sort -u "$CACHE/installed-packages" | tr '\n' ' ')"
fi
