package faults

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/ledger"
	"tieline/test/cluster"
)

var (
	long = flag.Bool("long", false, "feed at least 20,000 alerts through each fault")
	keep = flag.Bool("keep", false, "keep the servers' logs")
)

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "tieline-faults")
	if err == nil {
		binary, err = cluster.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// rig is one run's set-up: a database server of its own, three servers each
// behind a proxy of its own, a desk and a ledger.
type rig struct {
	*cluster.Cluster
	t       *testing.T
	ctx     context.Context
	desk    *cluster.Desk
	ledger  *ledger.Ledger
	proxies map[string]*cluster.Proxy
	db      *database // nil on SQLite
	load    load
	// connector is the one whose Active the faults strike.
	connector string
}

// load is how much is fed, in the short and the long form.
type load struct {
	alerts int
	pause  time.Duration // of each of the feeder's workers between requests
}

const connectorName = "desk"

// polling and tolerance of the runs: a silent server is Offline after 3 s.
const (
	polling   = time.Second
	tolerance = 3
)

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel() // each has servers of its own, and mostly waits
	ctx, cancel := context.WithTimeout(t.Context(), limit())
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, ledger: &ledger.Ledger{}, proxies: map[string]*cluster.Proxy{}, connector: connectorName}
	r.load = load{alerts: 600, pause: 150 * time.Millisecond}
	if *long {
		r.load = load{alerts: 20000, pause: 100 * time.Millisecond}
	}
	var err error
	if r.desk, err = cluster.NewDesk(r.ledger); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.desk.Close)
	return r
}

func limit() time.Duration {
	if *long {
		return 20 * time.Minute
	}
	return 6 * time.Minute
}

// onPostgres gives the rig a PostgreSQL server of its own and starts the servers.
func onPostgres(t *testing.T) *rig { return onServer(t, "postgres", "PG_URL") }

// onMariaDB does the same with a MariaDB server. The short form feeds it half as
// much: each of the faults comes once or more all the same.
func onMariaDB(t *testing.T) *rig {
	r := onServer(t, "mariadb", "MARIADB_URL")
	if !*long {
		r.load.alerts = 300
	}
	return r
}

func onServer(t *testing.T, kind, variable string) *rig {
	r := newRig(t)
	r.db = startDatabase(t, kind, variable)
	r.startBehindProxies()
	return r
}

// startBehindProxies starts three servers, each of which reaches the database
// through a proxy of its own.
func (r *rig) startBehindProxies() {
	r.t.Helper()
	names := []string{"s1", "s2", "s3"}
	for _, name := range names {
		proxy, err := cluster.NewProxy(name, r.db.address())
		if err != nil {
			r.t.Fatal(err)
		}
		r.proxies[name] = proxy
		r.t.Cleanup(proxy.Close)
	}
	r.start(names, func(name string) string { return r.db.through(r.proxies[name].Addr) })
}

// onSQLite starts the servers on one SQLite file.
func onSQLite(t *testing.T) *rig {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "tieline.db")
	r.start([]string{"s1", "s2", "s3"}, func(string) string { return "sqlite:" + file })
	return r
}

func (r *rig) start(names []string, database func(string) string) {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "tieline-faults-run")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if *keep || r.t.Failed() {
			r.t.Logf("servers' logs: %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	if r.Cluster, err = cluster.New(cluster.Config{Binary: binary, Dir: dir, Names: names, Database: database}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.Close)
	r.must(r.StartAll(r.ctx))
	r.must(r.Apply(r.ctx, r.desk.Document(connectorName, polling.String(), tolerance)))
	r.active()
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// active waits until some server is Active.
func (r *rig) active() *cluster.Server {
	r.t.Helper()
	s, err := r.WaitActive(r.ctx, r.connector, nil)
	r.must(err)
	return s
}

// other waits until a server other than the given one is Active.
func (r *rig) other(than *cluster.Server) *cluster.Server {
	r.t.Helper()
	s, err := r.WaitActive(r.ctx, r.connector, func(s *cluster.Server) bool { return s != than })
	r.must(err)
	return s
}

// under feeds the load while the fault repeats; see during.
func (r *rig) under(fault func(round int)) {
	r.t.Helper()
	feeder := &cluster.Feeder{
		Cluster: r.Cluster, Source: connectorName, Ledger: r.ledger,
		Alerts: r.load.alerts, Batch: 10, Workers: 4, Pause: r.load.pause,
	}
	r.during(feeder.Run, fault)
}

// during feeds while the fault repeats, lets everything come to rest and audits.
// The fault is called again and again until the feeding ends; it must leave the
// cluster able to work.
func (r *rig) during(feed func(context.Context) error, fault func(round int)) {
	r.t.Helper()
	fed := make(chan error, 1)
	go func() { fed <- feed(r.ctx) }()
	rounds := 0
	for done := false; !done; {
		select {
		case err := <-fed:
			r.must(err)
			done = rounds > 0
			if !done { // the load was too short for a single fault: still do it once
				fed <- nil
				fault(rounds)
				rounds++
			}
		case <-time.After(500 * time.Millisecond):
			fault(rounds)
			rounds++
		}
	}
	r.rest()
	r.audit(rounds)
}

// rest starts what is down and waits until the remote shows everything promised.
func (r *rig) rest() {
	r.t.Helper()
	for _, s := range r.Servers {
		s.Thaw()
		if !s.Alive() {
			r.must(s.Start())
		}
	}
	for {
		c := r.ledger.Counts()
		if c.Delivered == c.Alerts {
			break
		}
		select {
		case <-r.ctx.Done():
			r.t.Errorf("in time only %d of %d alerts came to rest", c.Delivered, c.Alerts)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	// What is doubted is looked at again after the settle time; a double would show then.
	r.pause(3 * time.Second)
}

func (r *rig) pause(d time.Duration) {
	select {
	case <-r.ctx.Done():
	case <-time.After(d):
	}
}

// tell logs a figure, with what test/run.sh finds it by: the test's name before it.
func (r *rig) tell(format string, args ...any) {
	r.t.Helper()
	r.t.Logf("%s: "+format, append([]any{r.t.Name()}, args...)...)
}

func (r *rig) audit(rounds int) {
	r.t.Helper()
	report := r.ledger.Audit()
	r.tell("%d faults; accepted %d observations of %d alerts; requests %d; lost %d, doubled %d, out of order %d",
		rounds, report.Promised, report.Alerts, report.Requests, len(report.Lost), len(report.Doubled), len(report.OutOfOrder))
	if !report.Clean() {
		r.explain(append(first(report.Lost), first(report.Doubled)...))
		r.t.Errorf("lost %v\ndoubled %v\nout of order %v", first(report.Lost), first(report.Doubled), first(report.OutOfOrder))
	}
	r.tellGaps()
	r.checkEpochs()
}

// tellGaps shows how long nothing was sent at each change of sender. Where nothing
// was accepted meanwhile either, the gap tells how long claims of the dead are left
// alone, and not when its successor began.
func (r *rig) tellGaps() {
	r.t.Helper()
	promises := r.ledger.Promises()
	var gaps []string
	for _, c := range r.ledger.Changes() {
		gap := fmt.Sprintf("%s>%s %s", c.From, c.To, c.Gap.Round(time.Millisecond))
		if !slices.ContainsFunc(promises, func(p ledger.Promise) bool { return p.At.After(c.Last) && p.At.Before(c.First) }) {
			gap += " (nothing to send)"
		}
		gaps = append(gaps, gap)
	}
	r.tell("gaps between servers: %s", strings.Join(gaps, ", "))
}

// explain logs what Tieline itself says of alerts that went wrong.
func (r *rig) explain(names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, name := range names[:min(len(names), 3)] {
		var alerts []struct{ ID string }
		found, err := r.Run(ctx, "alert", "list", "--text", name, "-o", "json")
		if err == nil {
			err = json.Unmarshal([]byte(found), &alerts)
		}
		r.t.Logf("%s: %d alerts %v", name, len(alerts), err)
		for _, a := range alerts {
			out, err := r.Run(ctx, "alert", "show", a.ID, "-o", "yaml")
			r.t.Logf("%s: %v\n%s", name, err, out)
		}
	}
}

func first(list []string) []string { return list[:min(len(list), 10)] }
