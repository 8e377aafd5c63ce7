package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"tieline/test/cluster"
)

// Env is what measurements share: a PostgreSQL server, the built binary and a folder.
type Env struct {
	Dir    string
	Binary string
	Kills  int

	script    string
	url       string // of the server's default database
	databases int
}

func newEnv(kills int) (*Env, error) {
	dir, err := os.MkdirTemp("", "tieline-bench")
	if err != nil {
		return nil, err
	}
	// PostgreSQL runs as a user of its own and must get into the folder.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	e := &Env{Dir: dir, Kills: kills}
	if e.Binary, err = cluster.Build(dir); err != nil {
		return nil, err
	}
	if e.script, err = peerScript("postgres.sh"); err != nil {
		return nil, err
	}
	start := exec.Command(e.script, "start", filepath.Join(dir, "postgres"))
	start.Env = append(os.Environ(), "PG_CONF=shared_buffers = 512MB\nmax_wal_size = 4GB")
	start.Stderr = os.Stderr
	out, err := start.Output()
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "PG_URL="); ok {
			e.url = strings.Trim(value, "'")
		}
	}
	if e.url == "" {
		return nil, fmt.Errorf("PostgreSQL's script told no PG_URL:\n%s", out)
	}
	return e, nil
}

// peerScript finds a script of test/peers from the module's root or from bench.
func peerScript(name string) (string, error) {
	for _, root := range []string{".", ".."} {
		path, err := filepath.Abs(filepath.Join(root, "test", "peers", name))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("test/peers/%s not found: run bench from the repository's root", name)
}

// Database makes a new, empty database and returns its URL.
func (e *Env) Database(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, e.url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	e.databases++
	name := fmt.Sprintf("bench%d", e.databases)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	before, after, _ := strings.Cut(e.url, "/tieline?")
	return before + "/" + name + "?" + after, nil
}

// Close stops the server and removes the folder.
func (e *Env) Close() {
	_ = exec.Command(e.script, "destroy", filepath.Join(e.Dir, "postgres")).Run() // throwaway
	os.RemoveAll(e.Dir)
}
