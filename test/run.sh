#!/usr/bin/env bash
# Runs every check of the project, on a fresh Debian machine with Go: installs
# and starts what the tests need (PostgreSQL, MariaDB, Alertmanager, Request Tracker),
# then formatting, vet, staticcheck, cross-builds, all tests under the race
# detector, the simulation, the fuzzers briefly, the real-process faults, and the console in
# a browser.
#
#   test/run.sh            everything (about 15 minutes on 2 cores, everything built anew)
#   test/run.sh STEP...    only these steps: static cross unit sim fuzz faults browser demo
#   test/run.sh screenshots DIR   draws every page of the console: light, dark, phone
#   test/run.sh soak       the long form of faults: at least 20,000 alerts through each (hours)
#   test/run.sh teeth      removes the protocol's rules one by one and shows which check notices
#
# A server that cannot be started fails the run; nothing is skipped but the
# suites on engines that cannot be installed here, which the end of the run names.
set -euo pipefail
origin=$PWD
cd "$(dirname "$0")/.."
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(static cross unit sim fuzz faults browser demo)
work=$(mktemp -d "${TMPDIR:-/tmp}/tieline-run.XXXXXX")
chmod 755 "$work" # PostgreSQL and Request Tracker run as users of their own
export CGO_ENABLED=0
# What is built here runs once: less collecting and no debugger's tables make it
# sooner. One set of flags for all, so that what is built is built once.
export GOGC=400 GOFLAGS=-ldflags=-w
starting=  # the process that installs and starts the servers
computing= # the process group of the steps beside the others

cleanup() {
	local peer
	[ -z "$computing" ] || kill -- "-$computing" 2>/dev/null || true
	[ -z "$starting" ] || wait "$starting" 2>/dev/null || true # installing must not be broken off
	for peer in pgbouncer postgres mariadb alertmanager rt; do
		[ ! -d "$work/$peer" ] || test/peers/$peer.sh destroy "$work/$peer" >/dev/null 2>&1 || true
	done
	rm -rf "$work"
}
trap cleanup EXIT

# Engines that cannot be installed here: their suites run on a server that is
# named, but for the faults that would stop or restart it.
not_run() {
	local ends='the faults DatabaseRestarted, DatabaseAwayForLong and StartedBeforeTheDatabase'
	if [ -n "${TIELINE_TEST_MYSQL_DSN:-}" ]; then
		echo "NOT RUN: $ends on MySQL 8: they stop the database server, and the one that is named is not the tests' own"
	else
		echo 'NOT RUN: the suites on MySQL 8. Set TIELINE_TEST_MYSQL_DSN=mysql://user:password@host:3306/database'
	fi
	if [ -n "${TIELINE_TEST_SQLSERVER_DSN:-}" ]; then
		echo "NOT RUN: $ends on SQL Server: they stop the database server, and the one that is named is not the tests' own"
	else
		echo 'NOT RUN: the suites on SQL Server. Set TIELINE_TEST_SQLSERVER_DSN=sqlserver://user:password@host:1433?database=master'
	fi
}

heading() { printf '\n=== %s (%ss)\n' "$1" "$SECONDS"; }

export TIELINE_TEST_ALERTMANAGER_WEBHOOK=127.0.0.1:20990

# Installs and starts the servers, and tells their addresses.
start_peers() {
	test/peers/postgres.sh start "$work/postgres" >"$work/peers.env"
	# shellcheck source=/dev/null
	. "$work/peers.env"
	{
		test/peers/pgbouncer.sh start "$work/pgbouncer" "$PG_URL"
		test/peers/mariadb.sh start "$work/mariadb"
		AM_WEBHOOK="http://$TIELINE_TEST_ALERTMANAGER_WEBHOOK/" test/peers/alertmanager.sh start "$work/alertmanager"
		test/peers/rt.sh start "$work/rt"
	} >>"$work/peers.env"
}

# Starts them beside the first step, which does not need them, and then fetches
# the browser, which only the last needs.
begin_peers() {
	[ -z "$starting" ] || return 0
	{
		start_peers
		touch "$work/peers.ready"
		case " ${steps[*]} " in *' browser '*) fetch_browser ;; esac
	} 2>"$work/peers.log" &
	starting=$!
}

fetch_browser() {
	test/peers/chromium.sh >"$work/browser.env"
	test/peers/axe.sh >>"$work/browser.env"
}

peers() {
	[ -z "${TIELINE_TEST_POSTGRES_URL:-}" ] || return 0
	begin_peers
	heading 'wait for PostgreSQL, MariaDB, Alertmanager and Request Tracker'
	while kill -0 "$starting" 2>/dev/null && [ ! -e "$work/peers.ready" ]; do sleep 0.2; done
	[ -e "$work/peers.ready" ] || { cat "$work/peers.log" >&2; echo 'a server that the tests need could not be started' >&2; return 1; }
	# shellcheck source=/dev/null
	. "$work/peers.env"
	export TIELINE_TEST_POSTGRES_URL=$PG_URL TIELINE_TEST_POSTGRES_SCRIPT="$PWD/test/peers/postgres.sh"
	export TIELINE_TEST_PGBOUNCER_URL=$BOUNCER_URL TIELINE_TEST_MARIADB_URL=$MARIADB_URL
	export TIELINE_TEST_ALERTMANAGER_URL=$AM_URL TIELINE_TEST_ALERTMANAGER_SCRIPT="$PWD/test/peers/alertmanager.sh"
	export TIELINE_TEST_RT_URL=$RT_URL TIELINE_TEST_RT_TOKEN=$RT_TOKEN TIELINE_TEST_RT_OPERATOR_TOKEN=$RT_OPERATOR_TOKEN
	export TIELINE_TEST_RT_SCRIPT="$PWD/test/peers/rt.sh" TIELINE_TEST_RT_DIR="$work/rt"
}

static() {
	heading 'gofmt, vet, staticcheck'
	local unformatted
	unformatted=$(gofmt -l . )
	[ -z "$unformatted" ] || { echo "not formatted:"; echo "$unformatted"; return 1; }
	go vet ./...
	go tool staticcheck ./...
	(cd bench && go vet ./...)
	go run ./internal/sim/teeth -check # whether what it breaks is still there
}

cross() {
	heading 'builds for Windows and macOS'
	local target
	for target in windows/amd64 darwin/arm64; do # built, not run: nothing needs to be optimized
		GOOS=${target%/*} GOARCH=${target#*/} go build -gcflags='all=-N -l' -o "$work/bin/" ./cmd/tieline
	done
}

unit() {
	peers
	heading 'tests under the race detector'
	local longest=internal/store
	# The race detector needs cgo for the test binary; the product never does. Many
	# packages wait for servers and disks more than they compute, hence -p. What
	# lasts longest begins first. SQLite is C in the words of Go: watching each of its
	# accesses makes it three times as slow and shows nothing of ours. (Packages that
	# use sync must not be left out: the linker may take their copy of its generic code.)
	CGO_ENABLED=1 go test -race -gcflags='modernc.org/sqlite/lib=-race=false' -vet=off -count=1 -p 3 -timeout 14m $(
		go list "./$longest/..." ./internal/app ./internal/remote/rt
		go list ./... | grep -v -e /test/ -e /internal/sim -e "/$longest" -e '/internal/app$' -e '/remote/rt$'
	)
}

sim() {
	heading 'simulation: 20,000 schedules and the complete exploration'
	go test -count=1 -timeout 12m ./internal/sim -sim.schedules=20000
}

fuzz() {
	heading 'fuzzing of every parser of outside input'
	local pkg target
	while read -r pkg target; do
		go test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime 3s
	done < <(grep -rlE '^func Fuzz' --include='*_test.go' internal/{connector,source,remote} | sort | while read -r file; do
		grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed "s|^func |./$(dirname "$file") |"
	done)
}

faults() {
	peers
	heading 'real processes, really killed'
	# Each fault's figures are shown as they come; what failed, with all it said.
	go test -count=1 -v -timeout 15m -parallel 3 ./test/faults 2>&1 | tee "$work/faults.log" |
		grep --line-buffered -E '_test\.go:[0-9]+: Test[^ ]+: |^ *--- (FAIL|SKIP)|^(ok|FAIL|panic)' ||
		{ cat "$work/faults.log"; return 1; }
}

chromium() {
	[ -z "${TIELINE_TEST_CHROMIUM:-}" ] || return 0
	heading 'install Chromium, fetch axe-core'
	if [ -n "$starting" ]; then
		wait "$starting" || { cat "$work/peers.log" >&2; echo 'the browser that the tests need could not be fetched' >&2; return 1; }
	else
		fetch_browser
	fi
	# shellcheck source=/dev/null
	. "$work/browser.env"
	export TIELINE_TEST_CHROMIUM=$CHROMIUM TIELINE_TEST_AXE=$AXE_JS
}

browser() {
	peers
	chromium
	heading 'the console in a browser'
	# Four at once: a test waits for a take-over or a list more than it computes.
	go test -count=1 -timeout 12m -parallel 4 ./test/browser
}

# Draws what SQLite shows; the pages are the same on every database.
screenshots() {
	chromium
	local dir
	dir=$(cd "$origin" && realpath -m "$1")
	heading "screenshots in $dir"
	go test -count=1 -timeout 15m ./test/browser -run '^TestScreenshots$' -screenshots "$dir"
}

soak() {
	peers
	heading 'real processes, really killed, for long'
	go test -count=1 -v -timeout 6h -parallel 3 ./test/faults -long
}

teeth() {
	heading 'each rule removed in turn'
	go run ./internal/sim/teeth
}

demo() {
	heading 'the demo'
	go run ./cmd/tieline demo --duration 20s
}

if [ "${steps[0]}" = screenshots ]; then
	[ ${#steps[@]} -eq 2 ] || { echo 'test/run.sh screenshots DIR: name the folder to draw into' >&2; exit 2; }
	screenshots "${steps[1]}"
	exit
fi
case " ${steps[*]} " in *' unit '* | *' faults '* | *' browser '* | *' soak '*) begin_peers ;; esac

# Steps that compute run beside those that wait for servers, leases and pages, and
# yield to them: what they say is shown when they have ended.
compute() {
	set -m # a process group of its own, which the end of this script ends
	(
		trap - EXIT
		renice -n 19 -p "$BASHPID" >/dev/null
		for step in "$@"; do "$step"; done
	) >"$work/computing.log" 2>&1 &
	computing=$!
	set +m
}

# computed tells whether those steps passed: of those that have ended, or of all.
computed() {
	[ -n "$computing" ] || return 0
	if [ "${1:-}" = all ]; then
		heading "wait for ${beside[*]}"
	elif kill -0 "$computing" 2>/dev/null; then
		return 0
	fi
	local passed=true
	wait "$computing" || passed=false
	computing=
	cat "$work/computing.log"
	$passed
}

beside=() one_by_one=()
for step in "${steps[@]}"; do
	case $step in
	static | cross | sim | fuzz) beside+=("$step") ;;
	unit | faults | browser | demo | soak | teeth) one_by_one+=("$step") ;;
	*) echo "test/run.sh: there is no step $step; see its first lines" >&2; exit 2 ;;
	esac
done
[ ${#beside[@]} -eq 0 ] || compute "${beside[@]}"
for step in "${one_by_one[@]}"; do
	"$step"
	computed
done
computed all
heading 'all passed'
not_run
