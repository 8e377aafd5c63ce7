package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// wait bounds a failing test; nothing is concluded from how long a passing one took.
const wait = 30 * time.Second

// buffer is written by a server and read by the test.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(wait)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// site is a data directory in which commands are run.
type site struct {
	t   *testing.T
	dir string
	env map[string]string
}

func newSite(t *testing.T) *site {
	dir := t.TempDir()
	return &site{t: t, dir: dir, env: map[string]string{"TIELINE_DATA_DIR": filepath.Join(dir, "data"), "TIELINE_WHO": "tester"}}
}

func (s *site) lookup(name string) (string, bool) { v, ok := s.env[name]; return v, ok }

func (s *site) environ() (all []string) {
	for name, value := range s.env {
		all = append(all, name+"="+value)
	}
	return all
}

// result is what a command did.
type result struct {
	code     int
	out, err string
}

// run executes a command line.
func (s *site) run(args ...string) result { return s.runWith("", args...) }

func (s *site) runWith(in string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), wait)
	defer cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, args, Streams{In: strings.NewReader(in), Out: &out, Err: &errs, Env: s.lookup, Environ: s.environ()})
	return result{code, out.String(), errs.String()}
}

// ok executes a command line that must succeed and returns its output.
func (s *site) ok(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.code != 0 {
		s.t.Fatalf("tieline %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// json executes a command with -o json, and checks that -o yaml says the same.
func (s *site) json(into any, args ...string) {
	s.t.Helper()
	text := s.ok(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.t.Fatalf("tieline %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	var any any
	if err := yaml.Unmarshal([]byte(s.ok(append(args, "-o", "yaml")...)), &any); err != nil {
		s.t.Fatalf("tieline %s -o yaml: %v", strings.Join(args, " "), err)
	}
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve runs a server beside the test, until stop is called or the test ends.
func (s *site) serve(args ...string) (url string, stop func() result) {
	s.t.Helper()
	return s.beside("serve", args...)
}

// beside does that with any command that serves.
func (s *site) beside(command string, args ...string) (url string, stop func() result) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs buffer
	done := make(chan int, 1)
	args = append([]string{command, "--listen", "127.0.0.1:0"}, args...)
	go func() {
		done <- Run(ctx, args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Env: s.lookup, Environ: s.environ()})
	}()
	var once sync.Once
	var r result
	stop = func() result {
		once.Do(func() {
			cancel()
			r = result{<-done, out.String(), errs.String()}
		})
		return r
	}
	s.t.Cleanup(func() { stop() })
	eventually(s.t, "the server says where it is", func() bool {
		select {
		case code := <-done:
			done <- code
			s.t.Fatalf("%s ended with exit code %d: %s", command, code, errs.String())
		default:
		}
		url = listening.FindString(out.String())
		return url != ""
	})
	return url, stop
}
