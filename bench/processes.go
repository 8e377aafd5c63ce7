package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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
