package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tieline/internal/ledger"
	"tieline/test/cluster"
)

// fleet is three servers on one database with the default 30 s x 3, a desk, and a
// steady stream of alerts, 100 a second.
type fleet struct {
	*cluster.Cluster
	database string // its URL
	desk     *cluster.Desk
	ledger   *ledger.Ledger
	stop     context.CancelFunc
	fed      chan error
}

const fleetConnector = "bench"

func newFleet(ctx context.Context, env *Env, name string, servers []string) (*fleet, error) {
	database, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(env.Dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	f := &fleet{database: database, ledger: &ledger.Ledger{}, fed: make(chan error, 1)}
	if f.desk, err = cluster.NewDesk(f.ledger); err != nil {
		return nil, err
	}
	f.Cluster, err = cluster.New(cluster.Config{
		Binary: env.Binary, Dir: dir, Names: servers, Database: func(string) string { return database },
	})
	if err != nil {
		return nil, err
	}
	if err := f.StartAll(ctx); err != nil {
		return nil, err
	}
	if err := f.Apply(ctx, f.desk.Document(fleetConnector, "30s", 3)); err != nil {
		return nil, err
	}
	if _, err = f.WaitActive(ctx, fleetConnector, nil); err != nil {
		return nil, err
	}
	pause(ctx, 3*time.Second) // until the others have reported that they can run the document
	return f, nil
}

// stream feeds alerts at about a rate per second until the fleet is closed.
func (f *fleet) stream(ctx context.Context, perSecond int) {
	ctx, f.stop = context.WithCancel(ctx)
	feeder := &cluster.Feeder{
		Cluster: f.Cluster, Source: fleetConnector, Ledger: f.ledger,
		Alerts: 1 << 30, Batch: 1, Workers: 16, Rate: float64(perSecond),
	}
	go func() { f.fed <- feeder.Run(ctx) }()
}

// endStream stops the feeding; an error says that it had stopped by itself.
func (f *fleet) endStream() error {
	if f.stop == nil {
		return nil
	}
	f.stop()
	f.stop = nil
	if err := <-f.fed; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the stream of alerts ended early: %w", err)
	}
	return nil
}

func (f *fleet) close() {
	_ = f.endStream() // whoever needs the whole stream has asked before
	f.Cluster.Close()
	f.desk.Close()
}

// successorsFirst returns when a server other than the old one first sent after an instant.
func (f *fleet) successorsFirst(ctx context.Context, old string, since time.Time) (ledger.Receipt, error) {
	for {
		receipts := f.ledger.Receipts()
		for _, r := range slices.Backward(receipts) {
			if r.At.Before(since) {
				break
			}
			if r.Server != old {
				return firstOf(receipts, old, since), nil
			}
		}
		select {
		case <-ctx.Done():
			return ledger.Receipt{}, fmt.Errorf("nobody sends after %s: %w", old, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func firstOf(receipts []ledger.Receipt, old string, since time.Time) ledger.Receipt {
	i := slices.IndexFunc(receipts, func(r ledger.Receipt) bool { return !r.At.Before(since) && r.Server != old })
	return receipts[i]
}

// failoverGaps kills the Active again and again and measures from the SIGKILL
// to the successor's first send.
func failoverGaps(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "failover", []string{"s1", "s2", "s3"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	f.stream(ctx, 100)
	var gaps []time.Duration
	for range env.Kills {
		dead, err := f.WaitActive(ctx, fleetConnector, nil)
		if err != nil {
			return nil, err
		}
		at := time.Now()
		dead.Kill()
		next, err := f.successorsFirst(ctx, dead.Name, at)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, next.At.Sub(at))
		if err := dead.Start(); err != nil {
			return nil, err
		}
		if err := dead.WaitReady(ctx); err != nil {
			return nil, err
		}
		pause(ctx, 1500*time.Millisecond) // until the returned server stands by again
	}
	slices.Sort(gaps)
	p99 := percentile(gaps, 99)
	return withAudit([]Row{{
		What:     fmt.Sprintf("crash failover, SIGKILL to the successor's first send, %d kills, 30 s x 3", len(gaps)),
		Measured: fmt.Sprintf("p50 %s, p99 %s", ms(percentile(gaps, 50)), ms(p99)),
		Against:  "lease alone: 90 s",
		Budget:   "p99 < 1 s", Met: p99 < time.Second,
	}}, f, "failover")
}

// switchoverGaps moves the Active by command and measures from the old one's
// last send to the new one's first.
func switchoverGaps(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "switchover", []string{"s1", "s2", "s3"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	f.stream(ctx, 100)
	for n := range env.Kills {
		active, err := f.WaitActive(ctx, fleetConnector, nil)
		if err != nil {
			return nil, err
		}
		to := f.Servers[n%3]
		if to == active {
			to = f.Servers[(n+1)%3]
		}
		at := time.Now()
		if _, err := f.Run(ctx, "ha", "switchover", fleetConnector, "--to", to.Name); err != nil {
			return nil, err
		}
		if _, err := f.successorsFirst(ctx, active.Name, at); err != nil {
			return nil, err
		}
		pause(ctx, 300*time.Millisecond)
	}
	var gaps []time.Duration
	for _, c := range f.ledger.Changes() {
		gaps = append(gaps, c.Gap)
	}
	slices.Sort(gaps)
	p99 := percentile(gaps, 99)
	return withAudit([]Row{{
		What:     fmt.Sprintf("planned switchover, last send to first send, %d switchovers, an alert every 10 ms", len(gaps)),
		Measured: fmt.Sprintf("p50 %s, p99 %s", ms(percentile(gaps, 50)), ms(p99)),
		Budget:   "p99 < 50 ms", Met: p99 < 50*time.Millisecond,
	}}, f, "switchover")
}

// withAudit ends the stream, lets the servers come to rest, compares both ends
// and adds what it found to the rows.
func withAudit(rows []Row, f *fleet, name string) ([]Row, error) {
	if err := f.endStream(); err != nil {
		return nil, err
	}
	for range 600 {
		if c := f.ledger.Counts(); c.Delivered == c.Alerts {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	report := f.ledger.Audit()
	return append(rows, Row{
		What:     fmt.Sprintf("audit of the %s run, %d alerts", name, report.Alerts),
		Measured: fmt.Sprintf("lost %d, doubled %d, out of order %d", len(report.Lost), len(report.Doubled), len(report.OutOfOrder)),
		Budget:   "0, 0, 0", Met: report.Clean(),
	}), nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
