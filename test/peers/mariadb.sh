#!/usr/bin/env bash
# mariadb.sh start|stop|restart|pause|resume|kill|status|env [dir]
# A throwaway MariaDB 10.11 server on 127.0.0.1 with its unix socket in dir; user tieline (password tieline), all rights.
#   MARIADB_PORT=n     port (else a free one of PEER_PORT_MIN..PEER_PORT_MAX)
#   MARIADB_DB=name    database to create (default tieline)
#   MARIADB_CONF="..." lines to add to the [mysqld] section (default: no flush at each commit, throwaway)
# restart [dir] [graceful|immediate]; kill = SIGKILL (crash); pause/resume = SIGSTOP/SIGCONT.
# stop keeps the data (start brings it back); destroy = stop and remove dir.
set -euo pipefail
NAME=mariadb
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
answers() { mariadb --no-defaults --connect-timeout=3 -S "$DIR/sock/s" -u tieline -ptieline -e 'select 1'; }
up() {
  port_clear "$(cat "$DIR/port")"
  local pre=(env)
  [ "$(id -u)" != 0 ] || pre=(setpriv --reuid=mysql --regid=mysql --init-groups env)
  spawn "$DIR/pid" "$DIR/log/mariadb.log" "${pre[@]}" HOME="$DIR" mariadbd --defaults-file="$DIR/my.cnf"
  wait_for 60 "$DIR/pid" mariadbd answers
}
# after SIGKILL the threads of a busy server take a while to let go of its port
crash() {
  stop_pid "$DIR/pid" KILL
  local i=0
  while ss -Hltun "sport = :$(cat "$DIR/port")" | grep -q . && [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.1; done
}
make() {
  mkdir -p "$DIR"/{log,sock,tmp}
  chmod 755 "$DIR"
  local port=${MARIADB_PORT:-} user=()
  [ -n "$port" ] || port=$(free_port)
  echo "$port" >"$DIR/port"
  [ "$(id -u)" != 0 ] || { chown -R mysql:mysql "$DIR"; user=(--user=mysql); }
  # A server that starts removes temporary tables from its tmpdir: in a shared one, those of an installation beside it.
  mariadb-install-db --no-defaults --datadir="$DIR/data" --tmpdir="$DIR/tmp" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve "${user[@]}" >"$DIR/log/install.log" 2>&1 ||
    { tail -20 "$DIR/log/install.log" >&2; die "mariadb-install-db failed"; }
  cat >"$DIR/init.sql" <<E
CREATE DATABASE IF NOT EXISTS \`${MARIADB_DB:-tieline}\` CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'tieline'@'localhost' IDENTIFIED BY 'tieline';
CREATE USER IF NOT EXISTS 'tieline'@'127.0.0.1' IDENTIFIED BY 'tieline';
GRANT ALL ON *.* TO 'tieline'@'localhost';
GRANT ALL ON *.* TO 'tieline'@'127.0.0.1';
E
  cat >"$DIR/my.cnf" <<E
[mysqld]
datadir=$DIR/data
socket=$DIR/sock/s
pid-file=$DIR/mariadbd.pid
port=$port
bind-address=127.0.0.1
tmpdir=$DIR/tmp
init-file=$DIR/init.sql
skip-name-resolve
max_connections=300
innodb_buffer_pool_size=64M
${MARIADB_CONF-innodb_flush_log_at_trx_commit=2}
E
}
start() {
  ensure_pkgs mariadb-server mariadb-client
  if pid_of "$DIR/pid" >/dev/null; then print_env; return; fi
  # Nothing is chowned once it is made: when a table's file was last changed so
  # counts as when the table was made, which names the database's history.
  [ -s "$DIR/my.cnf" ] || make
  up
  local port
  port=$(cat "$DIR/port")
  cat >"$DIR/env" <<E
MARIADB_DIR=$DIR
MARIADB_PORT=$port
MARIADB_HOST=127.0.0.1
MARIADB_SOCK=$DIR/sock/s
MARIADB_USER=tieline
MARIADB_DB=${MARIADB_DB:-tieline}
MARIADB_URL='mysql://tieline:tieline@127.0.0.1:$port/${MARIADB_DB:-tieline}'
E
  print_env
}
cmd=${1:-}; setdir "${2:-}"
case $cmd in
  start) start ;;
  stop) stop_pid "$DIR/pid" TERM 30 ;;
  destroy) stop_pid "$DIR/pid" KILL; rm -rf "$DIR" ;;
  restart)
    [ -s "$DIR/env" ] || die "no instance in $DIR"
    if [ "${3:-graceful}" = immediate ]; then crash; else stop_pid "$DIR/pid" TERM 30; fi
    up; print_env ;;
  pause) p=$(pid_of "$DIR/pid") || die "not running"; kill -STOP "$p" ;;
  resume) p=$(pid_of "$DIR/pid") || die "not running"; kill -CONT "$p" ;;
  kill) crash ;;
  status) pid_of "$DIR/pid" >/dev/null && echo running || { echo stopped; exit 3; } ;;
  env) print_env ;;
  *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
