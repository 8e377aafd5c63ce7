#!/usr/bin/env bash
# rt.sh start|stop|restart|destroy|pause|resume|status|env|log [dir]
# Request Tracker 5 (Debian request-tracker5, Starlet) with REST 2.0 on 127.0.0.1, mail written to dir/mail.
#   RT_PORT=n        port (else a free one of PEER_PORT_MIN..PEER_PORT_MAX)
#   RT_WORKERS=n     server processes (default 4)
#   RT_PG_PORT=n     use a PostgreSQL on 127.0.0.1 (user postgres, trust) instead of SQLite in dir
# Makes queue "Alerts" (custom fields "Alert ID", "Alert Source", "Alert Severity"), user "connector" (what the connector logs in as)
# and user "operator" (a human), each with password and auth token; root's password is "password".
# stop keeps the data; destroy = stop and remove dir. pause/resume = SIGSTOP/SIGCONT.
set -euo pipefail
NAME=rt
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SH=/usr/share/request-tracker5
rtenv() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=www-data --regid=www-data --init-groups env HOME="$DIR" "$@"; else env "$@"; fi; }
RTE=() # set by conf
conf() {
  RTE=(RT_SITE_CONFIG="$DIR/RT_SiteConfig.pm" RT_SITE_CONFIG_DIR="$DIR/etc.d")
}
setup() { # PORT
  local port=$1 db
  if [ -n "${RT_PG_PORT:-}" ]; then
    db="Set(\$DatabaseType, 'Pg'); Set(\$DatabaseHost, '127.0.0.1'); Set(\$DatabasePort, '$RT_PG_PORT');
Set(\$DatabaseName, 'rt$port'); Set(\$DatabaseUser, 'rt_user'); Set(\$DatabasePassword, 'x'); Set(\$DatabaseAdmin, 'postgres');"
  else
    db="Set(\$DatabaseType, 'SQLite'); Set(\$DatabaseName, '$DIR/db/rt5');"
  fi
  cat >"$DIR/RT_SiteConfig.pm" <<E
Set(\$rtname, 'rt.test'); Set(\$Organization, 'rt.test');
Set(\$WebDomain, '127.0.0.1'); Set(\$WebPort, $port); Set(\$WebPath, '');
$db
Set(\$LogToSyslog, undef); Set(\$LogToSTDERR, 'warning');
Set(\$LogToFile, 'info'); Set(\$LogDir, '$DIR/log'); Set(\$LogToFileNamed, 'rt.log');
Set(\$MailCommand, 'testfile'); # mail goes to \$RT::... file in TMPDIR, see dir/mail
Set(\$Timezone, 'UTC'); Set(\$DevelMode, 0); Set(\$WebSecureCookies, 0);
Set(\$RestrictReferrer, 0); Set(\$WebSessionClass, 'Apache::Session::File');
\$RT::MasonDataDir = '$DIR/mason'; \$RT::MasonSessionDir = '$DIR/session'; \$RT::VarPath = '$DIR';
1;
E
  conf
  [ "$(id -u)" != 0 ] || chown -R www-data:www-data "$DIR"
  local a=init; [ -z "${RT_PG_PORT:-}" ] || a=create,schema,acl,coredata,insert
  log "making the database ($a)"
  rtenv "${RTE[@]}" TMPDIR="$DIR/mail" /usr/sbin/rt-setup-database-5 --action init --skip-create=0 ${RT_PG_PORT:+--dba postgres --dba-password x} >"$DIR/log/setup.log" 2>&1 </dev/null ||
    { tail -20 "$DIR/log/setup.log" >&2; die "rt-setup-database failed"; }
  rtenv "${RTE[@]}" TMPDIR="$DIR/mail" perl -I$SH/lib - >"$DIR/tokens" 2>"$DIR/log/seed.log" <<'P' || { cat "$DIR/log/seed.log" >&2; die "seeding failed"; }
use strict; use warnings; use RT -init;
my $sys = RT->SystemUser;
sub ok { my ($r, $m) = @_; die "$m\n" unless $r; $r }
my $root = RT::User->new($sys); $root->Load('root'); $root->SetPassword('password');
my $q = RT::Queue->new($sys); ok($q->Create(Name => 'Alerts', Description => 'alerts from monitoring'));
my @cf = (['Alert ID', 'FreeformSingle'], ['Alert Source', 'FreeformSingle'], ['Alert Severity', 'FreeformSingle']);
for (@cf) {
  my $cf = RT::CustomField->new($sys);
  ok($cf->Create(Name => $_->[0], Type => $_->[1], LookupType => 'RT::Queue-RT::Ticket', MaxValues => 1));
  ok($cf->AddToObject($q));
}
for my $n (qw(connector operator)) {
  my $u = RT::User->new($sys);
  ok($u->Create(Name => $n, RealName => ucfirst $n, EmailAddress => "$n\@rt.test", Password => "$n-secret", Privileged => 1));
  for my $r (qw(SeeQueue ShowTicket ShowTicketComments ShowOutgoingEmail CreateTicket ModifyTicket CommentOnTicket ReplyToTicket OwnTicket TakeTicket
                StealTicket WatchAsAdminCc SeeCustomField ModifyCustomField SetInitialCustomField ForwardMessage)) {
    my ($ok, $m) = $u->PrincipalObj->GrantRight(Right => $r, Object => $q); warn "$r: $m\n" unless $ok;
  }
  if ($n eq 'operator') { my ($ok, $m) = $u->PrincipalObj->GrantRight(Right => 'DeleteTicket', Object => $q); warn "$m\n" unless $ok; }
  for my $r (qw(ManageAuthTokens ModifySelf LoadSavedSearch SeeSelfServicePage)) { $u->PrincipalObj->GrantRight(Right => $r, Object => $RT::System) }
  my $t = RT::AuthToken->new($sys);
  my ($ok, $m, $auth) = $t->Create(Owner => $u->Id, Description => 'throwaway'); ok($ok, $m);
  print uc($n), " $auth\n";
}
P
}
up() {
  port_clear "$(cat "$DIR/port")"
  local port; port=$(cat "$DIR/port"); conf
  local pre=(env); [ "$(id -u)" != 0 ] || pre=(setpriv --reuid=www-data --regid=www-data --init-groups env)
  spawn "$DIR/pid" "$DIR/log/server.log" "${pre[@]}" HOME="$DIR" TMPDIR="$DIR/mail" "${RTE[@]}" $SH/libexec/rt-server --host 127.0.0.1 --port "$port" --max-workers "${RT_WORKERS:-4}"
  wait_for 60 "$DIR/pid" rt-server curl -m 5 -sf -o /dev/null -H "Authorization: token $(awk '/CONN/{print $2}' "$DIR/tokens")" "http://127.0.0.1:$port/REST/2.0/rt"
}
start() {
  debconf-set-selections <<<'request-tracker5 request-tracker5/dbconfig-install boolean false' 2>/dev/null || true
  ensure_pkgs request-tracker5 rt5-db-sqlite rt5-standalone curl ${RT_PG_PORT:+libdbd-pg-perl}
  if pid_of "$DIR/pid" >/dev/null; then print_env; return; fi
  mkdir -p "$DIR"/{log,db,etc.d,mason,session,mail}; chmod 755 "$DIR"
  if [ ! -s "$DIR/tokens" ]; then rm -rf "$DIR"/db/*; echo "${RT_PORT:-$(free_port)}" >"$DIR/port"; setup "$(cat "$DIR/port")"; fi
  [ "$(id -u)" != 0 ] || chown -R www-data:www-data "$DIR"
  up
  local port; port=$(cat "$DIR/port")
  cat >"$DIR/env" <<E
RT_DIR=$DIR
RT_PORT=$port
RT_URL=http://127.0.0.1:$port
RT_REST=http://127.0.0.1:$port/REST/2.0
RT_QUEUE=Alerts
RT_USER=connector
RT_PASSWORD=connector-secret
RT_TOKEN=$(awk '/^CONNECTOR/{print $2}' "$DIR/tokens")
RT_OPERATOR_USER=operator
RT_OPERATOR_PASSWORD=operator-secret
RT_OPERATOR_TOKEN=$(awk '/^OPERATOR/{print $2}' "$DIR/tokens")
E
  print_env
}
all() { local p; p=$(pid_of "$DIR/pid") || die "not running"; echo "$p" $(kids "$p"); }
cmd=${1:-}; setdir "${2:-}"
case $cmd in
  start) start ;;
  stop) stop_pid "$DIR/pid" ;;
  destroy) stop_pid "$DIR/pid"; rm -rf "$DIR" ;;
  restart) [ -s "$DIR/env" ] || die "no instance in $DIR"; stop_pid "$DIR/pid"; up; print_env ;;
  pause) kill -STOP $(all) ;;
  resume) kill -CONT $(all) ;;
  status) pid_of "$DIR/pid" >/dev/null && echo running || { echo stopped; exit 3; } ;;
  log) cat "$DIR"/log/rt.log "$DIR"/log/server.log ;;
  env) print_env ;;
  *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
