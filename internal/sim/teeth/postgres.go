package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// postgresURL is the environment variable that says where the conformance suite
// finds a PostgreSQL server.
const postgresURL = "TIELINE_TEST_POSTGRES_URL"

var printedURL = regexp.MustCompile(`(?m)^PG_URL='([^']+)'$`)

// environment is what a check's program is started with; nil = this command's.
func (o *options) environment(ctx context.Context, c check) ([]string, error) {
	if !c.postgres || os.Getenv(postgresURL) != "" {
		return nil, nil
	}
	if o.server == "" {
		if err := o.startServer(ctx); err != nil {
			return nil, err
		}
	}
	return append(os.Environ(), postgresURL+"="+o.server), nil
}

// startServer starts a PostgreSQL server of this command's own, which ends with it.
func (o *options) startServer(ctx context.Context) error {
	if err := os.Chmod(o.work, 0o755); err != nil { // the server may run as another user
		return err
	}
	out, err := o.peer(ctx, "start").CombinedOutput()
	url := printedURL.FindSubmatch(out)
	if err != nil || url == nil {
		return fmt.Errorf("start a PostgreSQL server, as %s names none: %w: %s", postgresURL, err, out)
	}
	o.server = string(url[1])
	return nil
}

// stopServer ends and removes the server, if one was started.
func (o *options) stopServer() {
	if o.server == "" {
		return
	}
	// The command's own context may have ended by now.
	if out, err := o.peer(context.Background(), "destroy").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "teeth: end the PostgreSQL server: %v: %s\n", err, out)
	}
}

func (o *options) peer(ctx context.Context, verb string) *exec.Cmd {
	script := filepath.Join(o.root, "test", "peers", "postgres.sh")
	return exec.CommandContext(ctx, script, verb, filepath.Join(o.work, "postgres"))
}
