package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tieline/test/cluster"
)

// Env is what measurements share: a database server, the built binary and a folder.
type Env struct {
	Engine string // one of engines
	Dir    string
	Binary string
	Kills  int
	Scale  float64       // of the numbers of alerts; 1 = as the budgets mean them
	Rest   time.Duration // of a fleet before its idle load is counted

	script string // that started the server; "" = nobody did
	url    string // of the server's own database; "" = the engine needs no server
	made   []string
}

// newEnv builds the binary and starts the engine's server, or takes the one that
// given names.
func newEnv(engine, given string) (*Env, error) {
	how, known := engines[engine]
	if !known {
		return nil, fmt.Errorf("-engine %s: there is %s", engine, strings.Join(engineNames(), ", "))
	}
	dir, err := os.MkdirTemp("", "tieline-bench")
	if err != nil {
		return nil, err
	}
	e := &Env{Engine: engine, Dir: dir}
	// The database server runs as a user of its own and must get into the folder.
	if err = os.Chmod(dir, 0o755); err == nil {
		e.Binary, err = cluster.Build(dir)
	}
	switch {
	case err != nil:
	case how.script != "":
		err = e.start(how)
	case how.given != "":
		if e.url = given; e.url == "" {
			err = fmt.Errorf("-engine %s needs a server: name it by -url, or in %s", engine, how.given)
		}
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Env) start(how engine) error {
	var err error
	if e.script, err = peerScript(how.script); err != nil {
		return err
	}
	start := exec.Command(e.script, "start", e.server())
	start.Env = append(os.Environ(), how.setting)
	start.Stderr = os.Stderr
	out, err := start.Output()
	if err != nil {
		return fmt.Errorf("start %s: %w", e.Engine, err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), how.variable); ok {
			e.url = strings.Trim(value, "'")
		}
	}
	if e.url == "" {
		return fmt.Errorf("the script of %s told no URL:\n%s", e.Engine, out)
	}
	return nil
}

// server is the folder of the server that the script started.
func (e *Env) server() string { return filepath.Join(e.Dir, "server") }

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
	name := fmt.Sprintf("tieline_bench%d", len(e.made)+1)
	e.made = append(e.made, name)
	if e.url == "" {
		return "sqlite:" + filepath.Join(e.Dir, name+".db"), nil
	}
	if err := e.exec(ctx, e.url, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(e.url)
	if err != nil {
		return "", err
	}
	if e.Engine == "sqlserver" {
		q := u.Query()
		q.Set("database", name)
		u.RawQuery = q.Encode()
	} else {
		u.Path = "/" + name
	}
	return u.String(), nil
}

// exec runs a statement of the benchmark's own on a fresh connection.
func (e *Env) exec(ctx context.Context, url string, statements ...string) error {
	db, err := engines[e.Engine].open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// scaled is a number of alerts, made smaller where only the command is tried;
// whole batches of 500.
func (e *Env) scaled(alerts int) int { return max(int(float64(alerts)*e.Scale)/1000*1000, 1000) }

// Close stops the server, or removes what was made on somebody else's, and
// removes the folder. What is left behind harms nobody.
func (e *Env) Close() {
	switch {
	case e.script != "":
		_ = exec.Command(e.script, "destroy", e.server()).Run()
	case e.url != "":
		for _, name := range e.made {
			_ = e.exec(context.Background(), e.url, "DROP DATABASE "+name)
		}
	}
	os.RemoveAll(e.Dir)
}
