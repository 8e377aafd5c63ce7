#!/usr/bin/env bash
# postgres.sh start|stop|restart|pause|resume|kill|status|env [dir]
# A throwaway PostgreSQL 15 cluster on 127.0.0.1 (trust) with its unix socket in dir.
#   PG_PORT=n      port (else a free one of PEER_PORT_MIN..PEER_PORT_MAX)
#   PG_CONF="..."  lines to add to postgresql.conf (default: fsync off, throwaway)
#   PG_DB=name     database to create (default tieline)
# standby DIR OF     a streaming standby, in DIR, of the running instance in OF; PG_SYNC=1 makes OF wait for it
# promote DIR        makes a standby the primary
# restart [dir] [smart|fast|immediate]; kill = SIGKILL of all its processes (crash); pause/resume = SIGSTOP/SIGCONT.
# stop keeps the data (start brings it back); destroy = stop and remove dir.
set -euo pipefail
NAME=postgres
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
BIN=/usr/lib/postgresql/15/bin
pg() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$DIR" LC_ALL=C.UTF-8 "$@"; else env LC_ALL=C.UTF-8 "$@"; fi; }
pgpid() { local p; p=$(head -1 "$DIR/data/postmaster.pid" 2>/dev/null) || return 1; pid_of "$DIR/pid" >/dev/null && [ "$p" = "$(pid_of "$DIR/pid")" ] && echo "$p"; }
up() {
  port_clear "$(cat "$DIR/port")"
  pg $BIN/pg_ctl -D "$DIR/data" -l "$DIR/log/postgres.log" -w -t 60 -s start >/dev/null 2>&1 9>&- </dev/null ||
    { tail -15 "$DIR/log/postgres.log" >&2; die "postgres did not start (log: $DIR/log/postgres.log)"; }
  pid_save "$DIR/pid" "$(head -1 "$DIR/data/postmaster.pid")"
}
start() {
  ensure_pkgs postgresql-15
  mkdir -p "$DIR/log" "$DIR/sock"
  if pgpid >/dev/null; then print_env; return; fi
  [ "$(id -u)" != 0 ] || chown -R postgres "$DIR"
  chmod 755 "$DIR"
  local port
  if [ ! -s "$DIR/data/PG_VERSION" ]; then
    port=${PG_PORT:-$(free_port)}
    pg $BIN/initdb -D "$DIR/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync >"$DIR/log/initdb.log" 2>&1 || { cat "$DIR/log/initdb.log" >&2; die "initdb failed"; }
    cat >>"$DIR/data/postgresql.conf" <<E
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$DIR/sock'
max_connections = 200
log_line_prefix = '%m [%p] '
${PG_CONF-fsync = off
full_page_writes = off}
E
    [ "$(id -u)" != 0 ] || chown postgres "$DIR/data/postgresql.conf"
    echo "$port" >"$DIR/port"
  fi
  port=$(cat "$DIR/port")
  up
  local db=${PG_DB:-tieline}
  pg psql -h "$DIR/sock" -p "$port" -U postgres -XAtqc "select 1 from pg_database where datname='$db'" | grep -q 1 ||
    pg $BIN/createdb -h "$DIR/sock" -p "$port" -U postgres "$db"
  cat >"$DIR/env" <<E
PG_DIR=$DIR
PG_PORT=$port
PG_HOST=127.0.0.1
PG_SOCK=$DIR/sock
PG_USER=postgres
PG_DB=$db
PG_URL='postgres://postgres@127.0.0.1:$port/$db?sslmode=disable'
E
  print_env
}
standby() {
  local of=$1 port from i=0 sql="select 1 from pg_stat_replication where state = 'streaming'"
  [ -s "$of/env" ] || die "no instance in $of"
  from=$(cat "$of/port")
  mkdir -p "$DIR/log" "$DIR/sock"
  port=${PG_PORT:-$(free_port)}
  echo "$port" >"$DIR/port"
  [ "$(id -u)" != 0 ] || chown -R postgres "$DIR"
  chmod 755 "$DIR"
  pg $BIN/pg_basebackup -h "$of/sock" -p "$from" -U postgres -D "$DIR/data" -c fast -X stream -R >"$DIR/log/basebackup.log" 2>&1 ||
    { cat "$DIR/log/basebackup.log" >&2; die "pg_basebackup failed"; }
  printf "port = %s\nunix_socket_directories = '%s'\n" "$port" "$DIR/sock" >>"$DIR/data/postgresql.conf"
  up
  sed "s|^PG_DIR=.*|PG_DIR=$DIR|; s|^PG_PORT=.*|PG_PORT=$port|; s|^PG_SOCK=.*|PG_SOCK=$DIR/sock|; s|127.0.0.1:$from|127.0.0.1:$port|" "$of/env" >"$DIR/env"
  if [ -n "${PG_SYNC:-}" ]; then
    sql_in "$of" "alter system set synchronous_standby_names = '*'" "select pg_reload_conf()" >/dev/null
    sql="select 1 from pg_stat_replication where sync_state in ('sync', 'quorum')"
  fi
  until sql_in "$of" "$sql" | grep -q 1; do
    i=$((i + 1)); [ $i -le 150 ] || die "the standby does not stream (log: $DIR/log/postgres.log)"
    sleep 0.2
  done
  print_env
}
sql_in() { # DIR STATEMENT...
  local dir=$1 s args=(); shift
  for s; do args+=(-c "$s"); done
  pg psql -h "$dir/sock" -p "$(cat "$dir/port")" -U postgres -XAtq "${args[@]}"
}
promote() {
  pg $BIN/pg_ctl -D "$DIR/data" -w -t 30 -s promote >/dev/null
  # where the primary's settings came along, it waits for nobody
  sql_in "$DIR" "alter system reset synchronous_standby_names" "select pg_reload_conf()" >/dev/null
}
cont() { local p; p=$(pgpid) || return 0; for c in $(kids "$p") "$p"; do kill -CONT "$c" 2>/dev/null || true; done; }
stop() { # pg_ctl keeps the data; a stopped (paused) cluster is woken first
  local p; p=$(pgpid) || { rm -f "$DIR/pid"; return 0; }
  cont
  pg $BIN/pg_ctl -D "$DIR/data" -w -t 30 -s -m "${1:-fast}" stop >/dev/null 2>&1 || stop_pid "$DIR/pid" QUIT 10
  rm -f "$DIR/pid"
}
cmd=${1:-}; setdir "${2:-}"
case $cmd in
  start) start ;;
  standby) ensure_pkgs postgresql-15; standby "${3:?the folder of the primary}" ;;
  promote) pgpid >/dev/null || die "not running"; promote ;;
  stop) stop ;;
  destroy) stop immediate; rm -rf "$DIR" ;;
  restart) [ -s "$DIR/env" ] || die "no instance in $DIR"; stop "${3:-fast}"; up; print_env ;;
  pause) p=$(pgpid) || die "not running"; kill -STOP "$p"; for c in $(kids "$p"); do kill -STOP "$c" 2>/dev/null || true; done ;;
  resume) pgpid >/dev/null || die "not running"; cont ;;
  kill) p=$(pgpid) || die "not running"; k=$(kids "$p"); kill -KILL "$p" $k 2>/dev/null || true; sleep 0.2; rm -f "$DIR/pid" "$DIR/data/postmaster.pid" "$DIR"/sock/.s.PGSQL.*.lock ;; # (a zombie not yet reaped by pid 1 would count as alive)
  status) pgpid >/dev/null && echo running || { echo stopped; exit 3; } ;;
  env) print_env ;;
  *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
