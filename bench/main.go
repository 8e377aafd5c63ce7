// Command bench measures Tieline against the budgets of its design, each figure
// beside a limit or a peer measured in the same run, and prints one table.
//
//	go run ./bench            every measurement (about 15 minutes)
//	go run ./bench -only intake,drain
//	go run ./bench -engine mariadb
//
// It starts a database server of its own with its default durability. What
// compares with a peer that needs PostgreSQL, and what counts transactions by
// PostgreSQL's statistics, is measured there alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Row is one line of the table.
type Row struct {
	What     string
	Measured string
	Against  string // the limit or peer of the same run; "" = none
	Budget   string
	Met      bool
}

// measurement is one named group of rows.
type measurement struct {
	name     string
	run      func(ctx context.Context, env *Env) ([]Row, error)
	postgres bool // not measured on other engines
}

func measurements() []measurement {
	return []measurement{
		{name: "intake", run: intakeRate},
		{name: "drain", run: drainRate},
		{name: "backlog", run: backlogCost},
		{name: "latency", run: latency},
		{name: "start", run: startUp},
		{name: "idle", run: idleLoad, postgres: true},
		{name: "failover", run: failoverGaps},
		{name: "switchover", run: switchoverGaps},
	}
}

func main() {
	only := flag.String("only", "", "comma-separated measurements to run; empty = all")
	engine := flag.String("engine", "postgres", "database server to measure on: postgres or mariadb")
	kills := flag.Int("kills", 100, "kills of the failover measurement, and switchovers of the other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *engine, *only, *kills); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, engine, only string, kills int) error {
	env, err := newEnv(engine, kills)
	if err != nil {
		return err
	}
	defer env.Close()
	var rows []Row
	for _, m := range measurements() {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		if m.postgres && engine != "postgres" {
			fmt.Fprintf(os.Stderr, "%s is measured on PostgreSQL alone\n", m.name)
			continue
		}
		began := time.Now()
		got, err := m.run(ctx, env)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s took %s\n", m.name, time.Since(began).Round(time.Second))
		rows = append(rows, got...)
	}
	fmt.Printf("%s, ", engine)
	print(rows)
	return nil
}

func print(rows []Row) {
	fmt.Printf("%s, %s/%s, %d cores\n\n", time.Now().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Println("| what | measured | against, in the same run | budget | met |")
	fmt.Println("|---|---|---|---|---|")
	for _, r := range rows {
		met := "yes"
		if !r.Met {
			met = "NO"
		}
		fmt.Printf("| %s | %s | %s | %s | %s |\n", r.What, r.Measured, r.Against, r.Budget, met)
	}
}

// percentile returns the p-th percentile (0 to 100) of a sorted list.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
