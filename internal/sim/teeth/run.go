package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// check is one way to notice a mutation: some tests of one package.
type check struct {
	name     string
	pkg      string // relative to the module
	run      string // tests, as -run takes them
	flags    []string
	must     bool // it must notice; that another one does is not enough
	decisive bool // having noticed, no further check is tried (without -all)
	last     bool // tried only when nothing has noticed so far (or with -all)
	postgres bool // it needs a PostgreSQL server
}

func (c check) key() string { return strings.Join(append([]string{c.pkg, c.run}, c.flags...), " ") }

// A check is bounded. A package's own tests are quick: a mutation that makes
// them hang was noticed. The simulation takes as long as the machine lets it: that
// it was not done in time says nothing.
const (
	checkLimit = 3 * time.Minute
	unitLimit  = 45 * time.Second
)

// result is what a check came to.
type result struct {
	caught bool
	how    string
	text   string
	broken string // it did not compile
}

// mutate returns the changed files of a mutation, by path.
func (o *options) mutate(m mutation) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(o.root, e.file)
		text, ok := files[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s (%s): found %d times in %s: %q", m.rule, m.broken, n, e.file, e.old)
		}
		files[path] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// overlay writes changed files beside the tree and the list of them for the
// compiler; it returns the list's path.
func (o *options) overlay(files map[string]string) (string, error) {
	dir, err := os.MkdirTemp(o.work, "overlay-")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range files {
		to := filepath.Join(dir, strconv.Itoa(len(replace))+"-"+filepath.Base(path))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

// runCheck compiles and runs a check, with the overlay if one is given.
func (o *options) runCheck(ctx context.Context, c check, overlay string) result {
	program, err := o.program(ctx, c.pkg, overlay)
	if err != nil {
		return result{broken: err.Error()}
	}
	environment, err := o.environment(ctx, c)
	if err != nil {
		return result{broken: err.Error()}
	}
	began := time.Now()
	limit := checkLimit
	if !c.decisive {
		limit = unitLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	flags := append([]string{"-test.run", c.run, "-test.v", "-test.failfast", "-test.timeout", (limit - 5*time.Second).String()}, c.flags...)
	run := exec.CommandContext(ctx, program, flags...)
	run.Dir = filepath.Join(o.root, c.pkg)
	run.Env = environment
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	err = run.Run()
	var exit *exec.ExitError
	if err == nil {
		return result{}
	}
	if !errors.As(err, &exit) {
		return result{broken: err.Error()}
	}
	hangs := ctx.Err() != nil || strings.Contains(out.String(), "panic: test timed out")
	if hangs && !strings.Contains(out.String(), "--- FAIL: ") {
		return result{caught: !c.decisive, how: "hangs", text: head(out.String(), 4000)}
	}
	return result{caught: true, how: how(out.String(), time.Since(began)), text: head(out.String(), 4000)}
}

// program compiles a package's tests, once for each overlay.
func (o *options) program(ctx context.Context, pkg, overlay string) (string, error) {
	dir := o.work
	if overlay != "" {
		dir = filepath.Dir(overlay)
	}
	path := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-")+".test")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	args := []string{"test", "-c", "-ldflags=-s -w", "-o", path} // linking is most of what it costs
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "./"+pkg)...)
	build.Dir = o.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

var (
	afterSchedules = regexp.MustCompile(`after (\d+) schedules`)
	finding        = regexp.MustCompile(`(?m)^\s+((?:I\d|C\d|liveness|way back)[^\n]{0,60})`)
	failedTest     = regexp.MustCompile(`--- FAIL: (\S+)`)
)

// how says how soon a check noticed and what it said.
func how(out string, took time.Duration) string {
	parts := []string{seconds(took)}
	if m := afterSchedules.FindStringSubmatch(out); m != nil {
		parts = []string{m[1] + " schedules", seconds(took)}
	}
	if m := finding.FindStringSubmatch(out); m != nil {
		parts = append(parts, strings.SplitN(m[1], ":", 2)[0])
	} else if m := failedTest.FindAllStringSubmatch(out, -1); m != nil {
		parts = append(parts, m[len(m)-1][1])
	} else if strings.Contains(out, "panic:") {
		parts = append(parts, "panic")
	}
	return strings.Join(parts, ", ")
}

func head(s string, n int) string {
	if len(s) > n {
		return s[:n] + "\n..."
	}
	return s
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
