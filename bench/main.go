// Command bench measures Tieline against the budgets of its design, each figure
// beside a limit or a peer measured in the same run, and prints one table.
//
//	go run ./bench            every measurement (about 20 minutes)
//	go run ./bench -only intake,drain
//	go run ./bench -engine mariadb
//	go run ./bench -engine sqlserver -url 'sqlserver://sa:password@host:1433?database=master'
//	go run ./bench -scale 0.01 -kills 3 -rest 10s     tries the command
//
// It starts a PostgreSQL or MariaDB server of its own with its default
// durability, makes a SQLite file, or makes databases on the MySQL or SQL Server
// that is named and removes them in the end. The peer needs PostgreSQL and is
// measured there alone. How an engine counts its idle load is in engines.go.
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
	name string
	run  func(ctx context.Context, env *Env) ([]Row, error)
}

func measurements() []measurement {
	return []measurement{
		{name: "intake", run: intakeRate},
		{name: "drain", run: drainRate},
		{name: "backlog", run: backlogCost},
		{name: "latency", run: latency},
		{name: "start", run: startUp},
		{name: "console", run: consoleRenders},
		{name: "failover", run: failoverGaps},
		{name: "switchover", run: switchoverGaps},
		{name: "idle", run: idleLoad}, // the last: it ends what a server does by itself
	}
}

func main() {
	only := flag.String("only", "", "comma-separated measurements to run; empty = all")
	engine := flag.String("engine", "postgres", "database to measure on: "+strings.Join(engineNames(), ", "))
	server := flag.String("url", "", "server of an engine that is not started here; empty = what the tests' environment variable names")
	kills := flag.Int("kills", 100, "kills of the failover measurement, and switchovers of the other")
	scale := flag.Float64("scale", 1, "multiplies the numbers of alerts; less than 1 tries the command and measures nothing")
	rest := flag.Duration("rest", 8*time.Minute, "how long servers are left alone before their idle load is counted: the looks for claims of nobody end 6 minutes after a term began")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *server == "" {
		*server = os.Getenv(engines[*engine].given)
	}
	env, err := newEnv(*engine, *server)
	if err == nil {
		env.Kills, env.Scale, env.Rest = *kills, *scale, *rest
		err = run(ctx, env, *only)
		env.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, env *Env, only string) error {
	var rows []Row
	for _, m := range measurements() {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
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
	fmt.Printf("%s, ", env.Engine)
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
