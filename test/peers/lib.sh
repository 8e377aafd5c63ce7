# shellcheck shell=bash
# Common part of the scripts in this folder, which start real servers as
# throwaway instances for the tests: packages, ports, processes. Sourced, never run.
PATH=$PATH:/usr/sbin:/sbin
log() { printf '[%s] %s\n' "$NAME" "$*" >&2; }
die() { log "ERROR: $*"; exit 1; }
# installs Debian packages that are missing; never lets their scripts start a system service
ensure_pkgs() {
  local p need=() made=
  for p in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || need+=("$p")
  done
  [ ${#need[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || die "packages missing (${need[*]}) and not root: install them first"
  log "installing ${need[*]}"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; made=1
  fi
  local l; l=$(mktemp "${TMPDIR:-/tmp}/peer-apt.XXXXXX")
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600)
  if ! "${apt[@]}" install -y --no-install-recommends "${need[@]}" >"$l" 2>&1 </dev/null; then
    "${apt[@]}" update >>"$l" 2>&1 </dev/null || true
    "${apt[@]}" install -y --no-install-recommends "${need[@]}" >>"$l" 2>&1 </dev/null ||
      { tail -20 "$l" >&2; [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d; die "apt-get install ${need[*]} failed (log: $l)"; }
  fi
  [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
  rm -f "$l"
}
# a free port of PEER_PORT_MIN..PEER_PORT_MAX (best below 32768, outside the range of outgoing connections);
# it stays this instance's as long as its dir exists
free_port() {
  local min=${PEER_PORT_MIN:-21000} max=${PEER_PORT_MAX:-21499} p d r=${TMPDIR:-/tmp}/.tieline-test-ports.$(id -u)
  command -v ss >/dev/null || ensure_pkgs iproute2
  mkdir -p "$r" "$DIR"
  (
    flock -w 30 9 || exit 1
    p=$min
    while [ "$p" -le "$max" ]; do
      d=$(cat "$r/$p" 2>/dev/null || true)
      if { [ -z "$d" ] || [ ! -d "$d" ]; } && ! ss -Hatun "sport = :$p" | grep -q .; then
        rm -f "$r/$p"; echo "$DIR" >"$r/$p"; echo "$p"; exit 0
      fi
      p=$((p + 1))
    done
    exit 1
  ) 9>"$r/lock" || die "no free port in $min-$max"
}
# before starting: nobody else may be listening on the instance's port(s)
port_clear() { local p; for p in "$@"; do ! ss -Hltun "sport = :$p" | grep -q . || die "port $p is in use by another process (destroy the instance, or free the port)"; done; }
pid_start() { awk '{sub(/.*\) /,""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }
pid_save() { printf '%s %s\n' "$2" "$(pid_start "$2")" >"$1"; }       # FILE PID
pid_of() {                                                            # FILE -> pid if that very process lives
  local p s; [ -s "$1" ] || return 1; read -r p s <"$1" || return 1
  [ -n "$p" ] && [ -d "/proc/$p" ] && [ "$(pid_start "$p")" = "$s" ] || return 1
  [ "$(awk '{sub(/.*\) /,""); print $1}' "/proc/$p/stat" 2>/dev/null)" != Z ] || return 1
  echo "$p"
}
stop_pid() {                                                          # FILE [SIGNAL] [SECONDS]: the process, then what it left behind
  local p i=0 k ks=; p=$(pid_of "$1") || { rm -f "$1"; return 0; }
  for k in $(kids "$p"); do ks="$ks $k:$(pid_start "$k")"; done
  kill -CONT "$p" $(kids "$p") 2>/dev/null || true; kill -"${2:-TERM}" "$p" 2>/dev/null || true
  while pid_of "$1" >/dev/null; do
    i=$((i + 1)); [ $i -le $((${3:-20} * 10)) ] || { log "pid $p did not end, KILL"; kill -KILL "$p" 2>/dev/null || true; sleep 0.3; break; }
    sleep 0.1
  done
  for k in $ks; do [ "$(pid_start "${k%:*}")" != "${k#*:}" ] || kill -KILL "${k%:*}" 2>/dev/null || true; done
  rm -f "$1"
}
wait_for() {                                                          # SECONDS PIDFILE WHAT CMD...
  local n=$1 f=$2 w=$3 i=0; shift 3
  until "$@" >/dev/null 2>&1; do
    pid_of "$f" >/dev/null || { tail -15 "$DIR"/log/*.log >&2 2>/dev/null || true; die "$w ended while starting (logs: $DIR/log)"; }
    i=$((i + 1)); [ $i -le $((n * 5)) ] || { tail -15 "$DIR"/log/*.log >&2 2>/dev/null || true; die "$w did not answer in $n s (logs: $DIR/log)"; }
    sleep 0.2
  done
}
spawn() {                                                             # PIDFILE LOGFILE CMD... (detached; pid is the command's own)
  local f=$1 l=$2; shift 2
  setsid "$@" >>"$l" 2>&1 </dev/null 9>&- &
  pid_save "$f" $!
}
as_user() { local u=$1; shift; if [ "$(id -u)" = 0 ]; then setpriv --reuid="$u" --regid="$(id -gn "$u")" --init-groups env HOME="$DIR" "$@"; else "$@"; fi; }
kids() { local c; for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do echo "$c"; kids "$c"; done; }
setdir() { DIR=${1:-${TMPDIR:-/tmp}/tieline-test/$NAME}; case $DIR in /*) ;; *) DIR=$PWD/$DIR ;; esac; }
print_env() { [ -s "$DIR/env" ] && cat "$DIR/env" || die "no instance in $DIR"; }
