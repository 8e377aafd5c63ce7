#!/usr/bin/env bash
# alertmanager.sh start [dir] [webhook-url] | stop|restart|destroy|pause|resume|status|env|reload [dir] [webhook-url]
# A throwaway Prometheus Alertmanager 0.25 on 127.0.0.1, no cluster, one webhook receiver (send_resolved).
#   AM_WEBHOOK=url         the receiver (or the third argument)
#   AM_PORT=n              port (else a free one of PEER_PORT_MIN..PEER_PORT_MAX)
#   AM_GROUP_BY=a,b        labels to group by (default alertname,instance; '...' = every label set alone)
#   AM_GROUP_WAIT=0s AM_GROUP_INTERVAL=1s AM_REPEAT=1h AM_MAX_ALERTS=0 AM_RESOLVE_TIMEOUT=5m
#   AM_BEARER=token        Authorization: Bearer token sent to the webhook
#   AM_CONFIG=file         a complete alertmanager.yml to use instead
# reload writes the configuration anew from these and makes it take effect.
set -euo pipefail
NAME=alertmanager
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
conf() {
  if [ -n "${AM_CONFIG:-}" ]; then cp "$AM_CONFIG" "$DIR/alertmanager.yml"; return; fi
  [ -z "$HOOK" ] || echo "$HOOK" >"$DIR/webhook"
  HOOK=$(cat "$DIR/webhook" 2>/dev/null || true)
  [ -n "$HOOK" ] || die "give a webhook url: alertmanager.sh start DIR URL"
  local g; g=$(echo "${AM_GROUP_BY:-alertname,instance}" | sed "s/,/', '/g; s/^/'/; s/\$/'/")
  cat >"$DIR/alertmanager.yml" <<E
global:
  resolve_timeout: ${AM_RESOLVE_TIMEOUT:-5m}
route:
  receiver: hook
  group_by: [$g]
  group_wait: ${AM_GROUP_WAIT:-0s}
  group_interval: ${AM_GROUP_INTERVAL:-1s}
  repeat_interval: ${AM_REPEAT:-1h}
receivers:
  - name: hook
    webhook_configs:
      - url: '$HOOK'
        send_resolved: true
        max_alerts: ${AM_MAX_ALERTS:-0}
${AM_BEARER:+        http_config: {authorization: {type: Bearer, credentials: '$AM_BEARER'\}\}}
E
}
up() {
  port_clear "$(cat "$DIR/port")"
  local port; port=$(cat "$DIR/port")
  spawn "$DIR/pid" "$DIR/log/alertmanager.log" prometheus-alertmanager --config.file="$DIR/alertmanager.yml" --storage.path="$DIR/data" \
    --web.listen-address="127.0.0.1:$port" --cluster.listen-address= --log.level="${AM_LOG:-info}"
  wait_for 30 "$DIR/pid" alertmanager curl -m 5 -sf "http://127.0.0.1:$port/-/ready"
}
start() {
  ensure_pkgs prometheus-alertmanager curl
  if pid_of "$DIR/pid" >/dev/null; then print_env; return; fi
  mkdir -p "$DIR"/{log,data}
  [ -s "$DIR/port" ] || { p=${AM_PORT:-$(free_port)}; echo "$p" >"$DIR/port"; }
  conf; up
  local port; port=$(cat "$DIR/port")
  cat >"$DIR/env" <<E
AM_DIR=$DIR
AM_PORT=$port
AM_URL=http://127.0.0.1:$port
AM_WEBHOOK='$(cat "$DIR/webhook" 2>/dev/null || true)'
E
  print_env
}
cmd=${1:-}; setdir "${2:-}"; HOOK=${3:-${AM_WEBHOOK:-}}
case $cmd in
  start) start ;;
  stop) stop_pid "$DIR/pid" ;;
  destroy) stop_pid "$DIR/pid" KILL; rm -rf "$DIR" ;;
  restart) [ -s "$DIR/env" ] || die "no instance in $DIR"; stop_pid "$DIR/pid"; up; print_env ;;
  reload) p=$(pid_of "$DIR/pid") || die "not running"; conf; curl -m 5 -sf -X POST "http://127.0.0.1:$(cat "$DIR/port")/-/reload" >&2 || die "reload refused (log: $DIR/log)" ;;
  pause) p=$(pid_of "$DIR/pid") || die "not running"; kill -STOP "$p" ;;
  resume) p=$(pid_of "$DIR/pid") || die "not running"; kill -CONT "$p" ;;
  status) pid_of "$DIR/pid" >/dev/null && echo running || { echo stopped; exit 3; } ;;
  env) print_env ;;
  *) sed -n '2,11p' "$0" >&2; exit 2 ;;
esac
