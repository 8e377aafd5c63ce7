// Package cluster runs real tieline processes for the fault suite and the
// benchmarks: it starts them, freezes, kills and stops them, and asks them who
// is Active.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build compiles the tieline binary into dir and returns its path.
func Build(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "tieline")
	build := exec.Command("go", "build", "-o", binary, "./cmd/tieline")
	build.Dir = moduleRoot(filepath.Dir(strings.TrimSpace(string(root))))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tieline: %w\n%s", err, out)
	}
	return binary, nil
}

// moduleRoot is the folder of cmd/tieline, also when asked from the bench module inside it.
func moduleRoot(dir string) string {
	if _, err := os.Stat(filepath.Join(dir, "cmd", "tieline")); err != nil {
		return filepath.Dir(dir)
	}
	return dir
}

// Server is one tieline server: a name, an address and a process that comes and goes.
type Server struct {
	Name string
	URL  string // where it listens
	Env  []string

	binary string
	log    *os.File

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{}
}

// Cluster is some servers over one database.
type Cluster struct {
	Servers []*Server
	Dir     string
	binary  string
}

// Config of a cluster.
type Config struct {
	Binary   string
	Dir      string                   // logs and data directories
	Names    []string                 // of the servers
	Database func(name string) string // the database URL a server uses
	Env      []string                 // more TIELINE_* settings, for all
}

// New prepares servers; it starts none.
func New(c Config) (*Cluster, error) {
	cl := &Cluster{Dir: c.Dir, binary: c.Binary}
	for _, name := range c.Names {
		addr, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		log, err := os.Create(filepath.Join(c.Dir, name+".log"))
		if err != nil {
			return nil, err
		}
		env := append([]string{
			"TIELINE_SERVER=" + name,
			"TIELINE_LISTEN=" + addr,
			"TIELINE_DATA_DIR=" + filepath.Join(c.Dir, "data"),
			"TIELINE_DATABASE_URL=" + c.Database(name),
			"TIELINE_DATABASE_MIGRATE=true",
			"TIELINE_HIGH_AVAILABILITY=true",
		}, c.Env...)
		cl.Servers = append(cl.Servers, &Server{
			Name: name, URL: "http://" + addr, Env: env, binary: c.Binary, log: log,
		})
	}
	return cl, nil
}

// Server returns a server by name; it panics on an unknown one, a mistake of the caller.
func (c *Cluster) Server(name string) *Server {
	for _, s := range c.Servers {
		if s.Name == name {
			return s
		}
	}
	panic("no server " + name)
}

// StartAll starts every server and waits until each is ready.
func (c *Cluster) StartAll(ctx context.Context) error {
	for _, s := range c.Servers {
		if err := s.Start(); err != nil {
			return err
		}
		if err := s.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close kills what still runs.
func (c *Cluster) Close() {
	for _, s := range c.Servers {
		s.Kill()
		s.log.Close()
	}
}

// Run executes a tieline command against the cluster's database as the first
// server's operator would, and returns its standard output. Where the database
// does not answer in time, as on a machine with much else to do, it is asked again.
func (c *Cluster) Run(ctx context.Context, args ...string) (string, error) {
	for try := 1; ; try++ {
		out, err := c.runOnce(ctx, args...)
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() != unavailable || try == tries || sleep(ctx, time.Second) != nil {
			return out, err
		}
	}
}

const (
	unavailable = 6  // the exit code of a command that did not reach what it needs
	tries       = 30 // of a command
)

func (c *Cluster) runOnce(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.binary, args...)
	cmd.Env = append(os.Environ(), c.Servers[0].Env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("tieline %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Apply applies a connector document.
func (c *Cluster) Apply(ctx context.Context, document string) error {
	file := filepath.Join(c.Dir, "connector.yaml")
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		return err
	}
	_, err := c.Run(ctx, "connector", "apply", "-f", file)
	return err
}

// Active returns the server that says it is Active of the connector, nil when none does.
func (c *Cluster) Active(ctx context.Context, connector string) *Server {
	for _, s := range c.Servers {
		if s.Alive() && s.answers(ctx, "/active/"+connector) {
			return s
		}
	}
	return nil
}

// WaitActive waits until some server is Active and accept (nil = any) agrees.
func (c *Cluster) WaitActive(ctx context.Context, connector string, accept func(*Server) bool) (*Server, error) {
	for {
		if s := c.Active(ctx, connector); s != nil && (accept == nil || accept(s)) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no such Active of %s: %w", connector, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Twin returns a server with the same name and settings on a port of its own.
func (s *Server) Twin(dir string) (*Server, error) {
	addr, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, s.Name+"-twin.log"))
	if err != nil {
		return nil, err
	}
	env := append(slices.Clone(s.Env), "TIELINE_LISTEN="+addr)
	return &Server{Name: s.Name, URL: "http://" + addr, Env: env, binary: s.binary, log: log}, nil
}

// Start starts the process; it is an error when one runs.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("%s runs already", s.Name)
	}
	cmd := exec.Command(s.binary, "serve")
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := onLeash(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.process, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in its log; here only that it did
		s.mu.Lock()
		s.process = nil
		s.mu.Unlock()
		close(exited)
	}()
	return nil
}

// Alive reports whether the process runs.
func (s *Server) Alive() bool { return s.Pid() != 0 }

// Pid is the running process's id, 0 when there is none.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (s *Server) Kill() { _ = s.end(syscall.SIGKILL, time.Minute) }

// Stop ends the process as an operator would and waits until it is gone.
func (s *Server) Stop(limit time.Duration) error { return s.end(syscall.SIGTERM, limit) }

// Freeze stops the process from running, without ending it.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it run on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Process.Signal(sig) // it may just have ended
	}
}

func (s *Server) end(sig syscall.Signal, limit time.Duration) error {
	s.mu.Lock()
	exited := s.exited
	running := s.process != nil
	s.mu.Unlock()
	if !running {
		return nil
	}
	s.signal(sig)
	if sig == syscall.SIGKILL {
		s.signal(syscall.SIGCONT)
	}
	select {
	case <-exited:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %s of %s", s.Name, limit, sig)
	}
}

// WaitReady waits until /readyz answers 200, or fails when the process ends.
func (s *Server) WaitReady(ctx context.Context) error {
	for !s.answers(ctx, "/readyz") {
		if !s.Alive() {
			return fmt.Errorf("%s ended while starting; its log ends: %s", s.Name, s.LogTail(1500))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; its log ends: %s", s.Name, context.Cause(ctx), s.LogTail(1500))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// WaitExit waits until the process has ended.
func (s *Server) WaitExit(limit time.Duration) error {
	s.mu.Lock()
	exited, running := s.exited, s.process != nil
	s.mu.Unlock()
	if !running {
		return nil
	}
	select {
	case <-exited:
		return nil
	case <-time.After(limit):
		return errors.New(s.Name + " still runs")
	}
}

// LogTail returns the end of the server's log.
func (s *Server) LogTail(size int) string {
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-size):])
}

// probe has its own short deadline: a frozen process accepts and never answers.
var probe = &http.Client{Timeout: 300 * time.Millisecond}

func (s *Server) answers(ctx context.Context, path string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return false
	}
	resp, err := probe.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // lets the connection be used again
	return resp.StatusCode == http.StatusOK
}
