package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// server is one real "tieline serve" process, which comes and goes.
type server struct {
	name string
	addr string
	args []string
	exe  string
	log  string // path

	mu      sync.Mutex
	process *os.Process
	life    io.Closer // its standard input: it stops, as planned, when this closes
	exited  chan struct{}
	killed  time.Time // zero while it runs
}

// newServer prepares a server on a free port, which it keeps across restarts.
func newServer(exe, dir, name string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	addr := listener.Addr().String()
	return &server{
		name: name, addr: addr, exe: exe, log: filepath.Join(dir, name+".log"),
		args: []string{
			"serve", "--server", name, "--listen", addr, "--data-dir", dir, "--database", databaseURL(dir),
			"--high-availability", "--until-eof",
		},
	}, nil
}

func databaseURL(dir string) string { return "sqlite:" + filepath.Join(dir, "tieline.db") }

// start runs the process; its log goes to the demo's directory. Should the demo
// itself die, its servers see the end of their input and stop.
func (s *server) start() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.exe, s.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = cleanEnv()
	detach(cmd)
	life, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.process, s.life, s.exited, s.killed = cmd.Process, life, exited, time.Time{}
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		s.mu.Lock()
		if s.process == cmd.Process {
			s.process = nil
		}
		s.mu.Unlock()
		close(exited)
	}()
	return nil
}

// kill ends the process as a crash does, and returns its id; 0 when none ran.
func (s *server) kill() int {
	s.mu.Lock()
	p, exited := s.process, s.exited
	s.killed = time.Now()
	s.mu.Unlock()
	if p == nil {
		return 0
	}
	_ = p.Kill() // it may have ended by itself
	<-exited
	return p.Pid
}

// stop asks the process to end as planned, and kills it when it does not.
func (s *server) stop(limit time.Duration) {
	s.mu.Lock()
	p, life, exited := s.process, s.life, s.exited
	s.mu.Unlock()
	if p == nil {
		return
	}
	_ = life.Close()
	select {
	case <-exited:
	case <-time.After(limit):
		s.kill()
	}
}

// pid is 0 when no process runs; killedAgo then tells since when.
func (s *server) pid() (pid int, killedAgo time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return s.process.Pid, 0
	}
	return 0, time.Since(s.killed)
}

// ready waits until the server serves.
func (s *server) ready(ctx context.Context) error {
	client := http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for {
		resp, err := client.Get("http://" + s.addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if pid, _ := s.pid(); pid == 0 {
			return fmt.Errorf("server %s ended while starting; its log says: %s", s.name, s.tail())
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("server %s did not get ready", s.name), context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *server) tail() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-800):])
}

// cleanEnv is the environment without settings meant for other servers.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if len(kv) < 8 || kv[:8] != "TIELINE_" {
			env = append(env, kv)
		}
	}
	return env
}
