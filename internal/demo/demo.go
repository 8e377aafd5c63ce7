package demo

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tieline/internal/ledger"
	"tieline/internal/store"
)

// Options of a run.
type Options struct {
	Out      io.Writer
	Terminal bool // Out is one: redraw a table; otherwise plain lines
	Program  string
	Duration time.Duration // of the stream
	Rate     float64       // observations per second
	Kill     time.Duration // between two kills of the Active
	Restart  time.Duration // a killed server stays down this long
	Keep     bool          // keep the directory with the database and the logs
}

// names of the three servers, in communication order.
var names = []string{"alpha", "bravo", "charlie"}

// rest is how long the servers are given to deliver what is on its way when
// the stream has ended.
const rest = 60 * time.Second

type demo struct {
	Options
	dir     string
	db      *store.DB
	desk    *desk
	ledger  *ledger.Ledger
	servers []*server
	screen  *screen
	begun   time.Time
	kills   []kill
}

// kill is one murder of the Active.
type kill struct {
	at     time.Time
	server string
}

// Run runs the demo until Duration is over or ctx ends, audits, and returns the
// result. An error means that it could not be run, not that the audit failed.
func Run(ctx context.Context, o Options) (*Result, error) {
	dir, err := os.MkdirTemp("", "tieline-demo-")
	if err != nil {
		return nil, err
	}
	d := &demo{Options: o, dir: dir, ledger: new(ledger.Ledger)}
	if !o.Keep {
		defer os.RemoveAll(dir)
	}
	d.screen = newScreen(d)
	if err := d.setUp(ctx); err != nil {
		d.tearDown()
		return nil, err
	}
	defer d.tearDown()
	failed := d.play(ctx)
	d.settle()
	d.screen.close()
	result := d.audit()
	return result, failed
}

// setUp makes the database, opens the desk and starts the servers.
func (d *demo) setUp(ctx context.Context) error {
	var err error
	if d.desk, err = openDesk(d.ledger); err != nil {
		return err
	}
	if d.db, err = prepare(ctx, databaseURL(d.dir), document(d.desk.url)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, name := range names {
		s, err := newServer(d.Program, d.dir, name)
		if err != nil {
			return err
		}
		d.servers = append(d.servers, s)
		if err := s.start(); err != nil {
			return err
		}
		// One after another, so that the communication order is the list's.
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) tearDown() {
	for _, s := range d.servers {
		s.stop(5 * time.Second)
	}
	if d.db != nil {
		d.db.Close()
	}
	if d.desk != nil {
		d.desk.close()
	}
}

// play runs the stream, the killer and the screen until the time is over.
func (d *demo) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.Duration)
	defer cancel()
	d.begun = time.Now()
	s := &stream{
		ledger: d.ledger, every: time.Duration(float64(time.Second) / d.Rate), open: 40,
		client: &http.Client{Timeout: 4 * time.Second},
	}
	for _, server := range d.servers {
		s.targets = append(s.targets, "http://"+server.addr+"/v1/sources/demo")
	}
	streaming := make(chan error, 1)
	go func() { streaming <- s.run(ctx) }()
	killing := make(chan error, 1)
	go func() { killing <- d.killer(ctx) }()
	d.watch(ctx.Done())
	return errors.Join(<-streaming, <-killing)
}

// watch draws the screen until done.
func (d *demo) watch(done <-chan struct{}) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		d.screen.draw()
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// killer kills the Active every so often, for real, and has it started again
// later: late enough that the next kill may find a server still down, and the
// third must follow. One server is always left.
func (d *demo) killer(ctx context.Context) error {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	failed := make(chan error, 1)
	for {
		select {
		case err := <-failed:
			return err
		default:
		}
		if !wait(ctx, around(d.Kill)) {
			return nil
		}
		victim := d.active(ctx)
		if victim == nil || d.alive() < 2 {
			continue
		}
		at := time.Now()
		pid := victim.kill()
		d.screen.note("kill -9 %d: %s, the Active, is dead", pid, victim.name)
		d.kills = append(d.kills, kill{at: at, server: victim.name})
		restarts.Go(func() {
			wait(ctx, around(d.Restart))
			if err := victim.start(); err != nil {
				select {
				case failed <- err:
				default:
				}
				return
			}
			d.screen.note("%s was started again", victim.name)
		})
	}
}

// around draws a pause from half of the mean to one and a half, so that nothing
// falls in step.
func around(mean time.Duration) time.Duration {
	return mean/2 + time.Duration(rand.Int64N(int64(mean)+1))
}

// alive counts the servers that run.
func (d *demo) alive() int {
	n := 0
	for _, s := range d.servers {
		if pid, _ := s.pid(); pid != 0 {
			n++
		}
	}
	return n
}

func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// active returns the server that the lease names, nil when none does.
func (d *demo) active(ctx context.Context) *server {
	group, err := d.db.ReadGroup(ctx)
	if err != nil {
		return nil
	}
	for _, lease := range group.Leases {
		for _, s := range d.servers {
			if pid, _ := s.pid(); lease.Connector == connectorName && lease.Server == s.name && pid != 0 {
				return s
			}
		}
	}
	return nil
}

// settle waits until everything promised has been delivered, or long enough.
func (d *demo) settle() {
	d.screen.note("the stream has ended; waiting for what is on its way")
	begun := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for time.Since(begun) < rest {
			counts := d.ledger.Counts()
			if counts.Delivered == counts.Alerts && d.backlog() == 0 {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	d.watch(done)
}

// backlog is how many links still have something to do; 1 when nobody can say.
func (d *demo) backlog() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	all, err := d.db.Backlog(ctx)
	if err != nil {
		return 1
	}
	b := all[connectorName]
	return b.Due + b.Claimed
}

// kept is the directory that is kept, "" where none is.
func (d *demo) kept() string {
	if !d.Keep {
		return ""
	}
	return filepath.Clean(d.dir)
}
