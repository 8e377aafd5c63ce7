#!/usr/bin/env bash
# pgbouncer.sh start|stop|restart|pause|resume|kill|status|env|destroy [dir] [PG_URL]
# pgbouncer in transaction mode in front of a PostgreSQL server, on 127.0.0.1, as Debian
# configures it: nothing in ignore_startup_parameters, no prepared statements.
#   PGB_PORT=n     port (else a free one of PEER_PORT_MIN..PEER_PORT_MAX)
#   PGB_MODE=mode  transaction (default), session or statement
#   PGB_POOL=n     backends (default 20)
# PG_URL as postgres.sh prints it, without a password. BOUNCER_URL is the same database by way of the pooler.
set -euo pipefail
NAME=pgbouncer
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
user=postgres
start() {
  ensure_pkgs pgbouncer
  mkdir -p "$DIR/log"
  chmod 755 "$DIR"
  if pid_of "$DIR/pid" >/dev/null; then print_env; return; fi
  if [ ! -s "$DIR/env" ]; then
    local url=${1:?the URL of a PostgreSQL server is needed} rest host port db pg_user name listen
    rest=${url#*://}; pg_user=${rest%%@*}; rest=${rest#*@}
    host=${rest%%:*}; rest=${rest#*:}; port=${rest%%/*}; db=${rest#*/}; name=${db%%\?*}
    listen=${PGB_PORT:-$(free_port)}
    printf '"%s" ""\n' "$pg_user" >"$DIR/users"
    cat >"$DIR/pgbouncer.ini" <<I
[databases]
* = host=$host port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $listen
unix_socket_dir =
auth_type = trust
auth_file = $DIR/users
pool_mode = ${PGB_MODE:-transaction}
default_pool_size = ${PGB_POOL:-20}
max_client_conn = 500
server_login_retry = 1
I
    echo "$listen" >"$DIR/port"
    cat >"$DIR/env" <<I
BOUNCER_DIR=$DIR
BOUNCER_PORT=$listen
BOUNCER_URL='postgres://$pg_user@127.0.0.1:$listen/$name?sslmode=disable'
I
  fi
  up
  print_env
}
up() {
  port_clear "$(cat "$DIR/port")"
  [ "$(id -u)" != 0 ] || chown -R "$user" "$DIR"
  local run=(/usr/sbin/pgbouncer "$DIR/pgbouncer.ini")
  # pgbouncer refuses to run as root
  [ "$(id -u)" != 0 ] || run=(setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups "${run[@]}")
  spawn "$DIR/pid" "$DIR/log/pgbouncer.log" "${run[@]}"
  wait_for 20 "$DIR/pid" pgbouncer bash -c "exec 3<>/dev/tcp/127.0.0.1/$(cat "$DIR/port")"
}
cmd=${1:-}; setdir "${2:-}"
case $cmd in
  start) start "${3:-${PG_URL:-}}" ;;
  stop) stop_pid "$DIR/pid" INT 10 ;;
  destroy) stop_pid "$DIR/pid" KILL 5; rm -rf "$DIR" ;;
  restart) stop_pid "$DIR/pid" INT 10; up; print_env ;;
  pause) kill -STOP "$(pid_of "$DIR/pid")" ;;
  resume) kill -CONT "$(pid_of "$DIR/pid")" ;;
  kill) stop_pid "$DIR/pid" KILL 5 ;;
  status) pid_of "$DIR/pid" >/dev/null && echo running || { echo stopped; exit 3; } ;;
  env) print_env ;;
  *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
