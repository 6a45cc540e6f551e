#!/usr/bin/env bash
# Makes: a Docker engine that answers (Debian's docker.io and iptables), started when none runs, and bubblewrap, which
# holds agents where there is no Docker. 30 s the first time.
# Prints (--print): the address of its socket.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
print_result() { echo "$socket"; }
begin engine "$@"

answers() { have docker && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
running() { pgrep -x dockerd >/dev/null 2>&1; }

# Waits for the engine's answer, 30 s at most. Half a second between two questions: it starts in 1 to 3 s.
wait_for_answer() {
  local tries
  for ((tries = 0; tries < 60; tries++)); do
    answers && return 0
    running || ((tries < 6)) || return 1
    sleep 0.5
  done
  return 1
}

start() {
  if [[ -d /run/systemd/system ]]; then
    logged systemctl start docker
  elif running; then
    say "dockerd runs already; waiting for its answer"
  else
    ((EUID == 0)) || die "no Docker engine answers at $socket" "as root: dockerd &   (or: make setup)" \
      "or let this user in: usermod -aG docker $USER"
    say "starting dockerd (log: $CACHE/logs/dockerd.log)"
    # One that was killed leaves its number behind, which may be another process's now: dockerd would refuse to start.
    rm -f /var/run/docker.pid
    setsid nohup dockerd >>"$CACHE/logs/dockerd.log" 2>&1 </dev/null 8>&- 9>&- &
    echo $! >"$CACHE/dockerd.pid"
  fi
  wait_for_answer || {
    tail -n 15 "$CACHE/logs/dockerd.log" >&2 2>/dev/null || true
    die "the Docker engine does not answer at $socket" "its log: $CACHE/logs/dockerd.log"
  }
}

if ! answers; then
  # A client alone may be on PATH already: what is needed is the engine.
  have dockerd || {
    say "Docker engine from Debian, about 30 s"
    need_packages docker.io iptables
  }
  # A remote engine, or a socket this user may not open, is not ours to start.
  [[ $socket == unix:///var/run/docker.sock ]] || die "no Docker engine answers at $socket (DOCKER_HOST)"
  [[ ! -S /var/run/docker.sock || -w /var/run/docker.sock ]] ||
    die "this user may not use /var/run/docker.sock" "as root: usermod -aG docker $USER, then log in again"
  start
fi
have bwrap || need_packages bubblewrap
put_env DOCKER_HOST "$socket"
say "Docker engine $(docker version --format '{{.Server.Version}}') answers"
