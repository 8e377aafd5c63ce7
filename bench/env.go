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

// Env is what measurements share: a database server, the built binary and a folder.
type Env struct {
	Engine string // "postgres" or "mariadb"
	Dir    string
	Binary string
	Kills  int

	script    string
	url       string // of the server's default database
	databases int
}

// tuning is each engine's, with its default durability.
var tuning = map[string]struct{ setting, variable string }{
	"postgres": {"PG_CONF=shared_buffers = 512MB\nmax_wal_size = 4GB", "PG_URL="},
	"mariadb":  {"MARIADB_CONF=innodb_buffer_pool_size=512M\ninnodb_log_file_size=2G", "MARIADB_URL="},
}

func newEnv(engine string, kills int) (*Env, error) {
	tuned, known := tuning[engine]
	if !known {
		return nil, fmt.Errorf("-engine %s: there is postgres and mariadb", engine)
	}
	dir, err := os.MkdirTemp("", "tieline-bench")
	if err != nil {
		return nil, err
	}
	// The database server runs as a user of its own and must get into the folder.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	e := &Env{Engine: engine, Dir: dir, Kills: kills}
	if e.Binary, err = cluster.Build(dir); err != nil {
		return nil, err
	}
	if e.script, err = peerScript(engine + ".sh"); err != nil {
		return nil, err
	}
	start := exec.Command(e.script, "start", filepath.Join(dir, engine))
	start.Env = append(os.Environ(), tuned.setting)
	start.Stderr = os.Stderr
	out, err := start.Output()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", engine, err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), tuned.variable); ok {
			e.url = strings.Trim(value, "'")
		}
	}
	if e.url == "" {
		return nil, fmt.Errorf("the script of %s told no URL:\n%s", engine, out)
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
	e.databases++
	name := fmt.Sprintf("bench%d", e.databases)
	if e.Engine == "mariadb" {
		return strings.TrimSuffix(e.url, "tieline") + name, onMariaDB(ctx, e.url, "CREATE DATABASE "+name)
	}
	conn, err := pgx.Connect(ctx, e.url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	before, after, _ := strings.Cut(e.url, "/tieline?")
	return before + "/" + name + "?" + after, nil
}

// Close stops the server and removes the folder.
func (e *Env) Close() {
	_ = exec.Command(e.script, "destroy", filepath.Join(e.Dir, e.Engine)).Run() // throwaway
	os.RemoveAll(e.Dir)
}
