package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tieline/internal/ledger"
)

// startUp measures from exec to serving on an existing database, and the
// resident memory of a server that has nothing to do.
func startUp(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "start", []string{"s1"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	server := f.Servers[0]
	var took []time.Duration
	for range 20 {
		if err := server.Stop(20 * time.Second); err != nil {
			return nil, err
		}
		at := time.Now()
		if err := server.Start(); err != nil {
			return nil, err
		}
		if err := server.WaitReady(ctx); err != nil {
			return nil, err
		}
		took = append(took, time.Since(at))
	}
	pause(ctx, 10*time.Second)
	resident, err := residentMB(server.Pid())
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	return []Row{{
		What: "start, exec to ready on an existing database, 20 starts", Measured: fmt.Sprintf("p50 %s, worst %s", ms(percentile(took, 50)), ms(took[len(took)-1])),
		Budget: "< 200 ms", Met: percentile(took, 50) < 200*time.Millisecond,
	}, {
		What: "resident memory, idle", Measured: fmt.Sprintf("%.1f MB", resident), Budget: "< 50 MB", Met: resident < 50,
	}}, nil
}

func residentMB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in the status of %d", pid)
}

// idleLoad counts the database's transactions while nothing happens, with 1 and
// with 100 connectors, per server and polling interval of 30 s.
func idleLoad(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "idle", []string{"s1", "s2", "s3"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	database := databaseOf(f)
	// The server's own vacuum counts its transactions in the same place.
	if err := autovacuum(ctx, database, "off"); err != nil {
		return nil, err
	}
	one, err := f.idleTransactions(ctx, database)
	if err != nil {
		return nil, err
	}
	for n := 2; n <= 100; n++ {
		document := strings.ReplaceAll(f.desk.Document(fmt.Sprintf("bench%03d", n), "30s", 3), "name: bench\n", "")
		if err := f.Apply(ctx, document); err != nil {
			return nil, err
		}
	}
	hundred, err := f.idleTransactions(ctx, database)
	if err != nil {
		return nil, err
	}
	if err := autovacuum(ctx, database, "on"); err != nil {
		return nil, err
	}
	return []Row{
		{What: "idle load, transactions per server and polling interval, 1 connector", Measured: one.String(), Budget: "<= 1, plus wakes", Met: one.met()},
		{What: "the same with 100 connectors", Measured: hundred.String(), Budget: "<= 1, plus wakes", Met: hundred.met()},
	}, nil
}

// idle counts transactions per server and polling interval.
type idle struct {
	beats float64 // heartbeats
	other float64 // above all the waits for presences, which begin anew every 2 minutes
}

func (i idle) String() string { return fmt.Sprintf("%.2f heartbeats, %.2f waits", i.beats, i.other) }

func (i idle) met() bool { return i.beats < 1.05 && i.other < 1.5 }

func autovacuum(ctx context.Context, url, setting string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err = conn.Exec(ctx, "ALTER SYSTEM SET autovacuum = "+setting); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT pg_reload_conf()")
	return err
}

func databaseOf(f *fleet) string {
	for _, setting := range f.Servers[0].Env {
		if url, ok := strings.CutPrefix(setting, "TIELINE_DATABASE_URL="); ok {
			return url
		}
	}
	return ""
}

// idleTransactions counts over four polling intervals: the waits for presences
// begin anew once in as long.
func (f *fleet) idleTransactions(ctx context.Context, url string) (idle, error) {
	const intervals = 4
	pause(ctx, 3*time.Minute) // what begins with a term or a document is over by then
	before, err := transactions(ctx, url)
	if err != nil {
		return idle{}, err
	}
	pause(ctx, intervals*30*time.Second)
	after, err := transactions(ctx, url)
	if err != nil {
		return idle{}, err
	}
	const ours = 1 // the first reading's own transaction
	each := float64(intervals * len(f.Servers))
	beats := float64(after.beats - before.beats)
	return idle{beats: beats / each, other: (float64(after.all-before.all-ours) - beats) / each}, nil
}

// count is what a database has seen by now.
type count struct{ all, beats int64 }

func transactions(ctx context.Context, url string) (c count, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `SELECT xact_commit + xact_rollback, (SELECT sum(beat)::bigint FROM server)
		FROM pg_stat_database WHERE datname = current_database()`).Scan(&c.all, &c.beats)
	return c, err
}

// latency measures from the source's request to the remote's at 100 alerts a second.
func latency(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "latency", []string{"s1", "s2"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	f.stream(ctx, 100)
	pause(ctx, 20*time.Second)
	if err := f.endStream(); err != nil {
		return nil, err
	}
	pause(ctx, time.Second)
	accepted := map[string]time.Time{}
	for _, p := range f.ledger.Promises() {
		accepted[key(p.Alert, p.Number)] = p.At
	}
	took := deliveries(f.ledger.Receipts(), accepted)
	if len(took) == 0 {
		return nil, fmt.Errorf("nothing was delivered")
	}
	p50, p99 := percentile(took, 50), percentile(took, 99)
	return []Row{{
		What:     fmt.Sprintf("latency, accepted to remote called, 100 alerts/s, %d requests", len(took)),
		Measured: fmt.Sprintf("p50 %s, p99 %s", ms(p50), ms(p99)),
		Budget:   "p50 < 5 ms, p99 < 25 ms", Met: p50 < 5*time.Millisecond && p99 < 25*time.Millisecond,
	}}, nil
}

func key(name string, number int) string { return fmt.Sprintf("%s/%d", name, number) }

// deliveries returns, sorted, how long after its 2xx each observation reached
// the remote; one that was there before its answer took no time.
func deliveries(receipts []ledger.Receipt, accepted map[string]time.Time) []time.Duration {
	var took []time.Duration
	for _, r := range receipts {
		if at, ok := accepted[key(r.Alert, r.Number)]; ok {
			took = append(took, max(0, r.At.Sub(at)))
		}
	}
	slices.Sort(took)
	return took
}
