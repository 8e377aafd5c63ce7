package forward_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/ha"
	"tieline/internal/remote"
)

const (
	desk   = "desk"           // the connector of all tests
	window = 30 * time.Second // its send window
	settle = 5 * time.Second  // its settle time
	call   = 6 * time.Second  // deadline of one call: thrice that of a request
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one database, one remote system, and servers that come and go.
type world struct {
	t      *testing.T
	store  *forwardtest.Store
	remote *forwardtest.Remote
	source *forwardtest.Source
	setup  forward.Setup
	setups *forwardtest.Setups
	group  uuid.UUID
	reason ha.Reason // of the terms that begin
	// history names the database's history in them; "" = what the store says
	history string
	all     []*server
}

// server is one server's term.
type server struct {
	w     *world
	f     *forward.Forwarder
	clock *forwardtest.Clock
	term  ha.Term
	drain chan struct{}
	stop  context.CancelCauseFunc
	done  chan error
	over  bool
}

// bubble runs a test in virtual time with everything in its place.
func bubble(t *testing.T, change func(w *world), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, store: forwardtest.NewStore(), remote: forwardtest.NewRemote(), source: &forwardtest.Source{},
			group: uuid.New(),
		}
		w.setup = forward.Setup{
			Version: 1, Mapping: forwardtest.Mapping{}, Remote: w.remote,
			Sources: []forward.SourceSetup{{Name: "prom", Writer: w.source}},
		}
		if change != nil {
			change(w)
		}
		setup := w.setup
		w.setups = forwardtest.NewSetups(&setup)
		defer w.stop()
		test(t, w)
	})
}

// stop ends all servers, so that no goroutine is left in the bubble.
func (w *world) stop() {
	for _, s := range w.all {
		_ = s.lose()
	}
	for _, s := range w.all {
		if err := s.f.Close(context.Background()); err != nil {
			w.t.Errorf("Close: %v", err)
		}
	}
}

// activate makes a server the Active and starts its term.
func (w *world) activate(name string) *server { return w.activateWith(name, nil) }

func (w *world) activateWith(name string, change func(c *forward.Config)) *server {
	c := forward.Config{
		Connector: desk, Group: w.group, Store: w.store, Setups: w.setups,
		Jitter: func() float64 { return 0 }, Reconcile: -1,
	}
	if change != nil {
		change(&c)
	}
	return w.begin(name, forward.New(c))
}

func (w *world) begin(name string, f *forward.Forwarder) *server {
	s := &server{w: w, f: f, clock: &forwardtest.Clock{}, drain: make(chan struct{}), done: make(chan error, 1)}
	settings := ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Window: window, Settle: settle}
	s.term = ha.NewTerm(w.store.TakeOver(desk, name), settings, s.clock, s.drain)
	s.term.Reason = w.reason
	if w.history != "" {
		w.store.Move(desk, w.history)
		s.term.Identity = w.history
	}
	ctx, stop := context.WithCancelCause(context.Background())
	s.stop = stop
	go func() { s.done <- f.Run(ctx, s.term) }()
	w.all = append(w.all, s)
	return s
}

// lose ends a server's term as a lost lease does, and waits for Run to return.
func (s *server) lose() error {
	if s.over {
		return nil
	}
	s.over = true
	s.stop(ha.ErrTermOver)
	return <-s.done
}

// raise accepts an alert and wakes the server.
func (w *world) raise(s *server, key string) alert.ID {
	id := w.store.Raise(desk, "prom", key, alert.Content{Summary: key})
	if s != nil {
		s.f.Wake()
	}
	return id
}

func (w *world) key(id alert.ID) alert.Key { return alert.NewKey(w.group, desk, id) }

func (w *world) link(id alert.ID) alert.Link { return w.store.Link(desk, id) }

func linkID(id alert.ID) alert.LinkID {
	return alert.LinkID{Connector: desk, Alert: id, Side: alert.Remote}
}

// after lets time pass, and everything that it brings about.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// settled fails the test unless the link is at rest with exactly one open ticket
// that shows the alert's newest revision.
func (w *world) settled(id alert.ID) {
	w.t.Helper()
	l := w.link(id)
	if l.Due() || l.Claim.ID != uuid.Nil || l.Stage != alert.Settled {
		w.t.Fatalf("link is not at rest: %+v", l)
	}
	var open []forwardtest.Ticket
	for _, t := range w.remote.Open() {
		if t.Key == w.key(id) {
			open = append(open, t)
		}
	}
	if len(open) != 1 || open[0].ID != l.Ticket {
		w.t.Fatalf("open tickets %+v, the link names %q", open, l.Ticket)
	}
	if newest := w.store.Alert(id).Revision; open[0].Revision != newest {
		w.t.Fatalf("ticket shows revision %d, the alert is at %d", open[0].Revision, newest)
	}
}

func (w *world) stage(id alert.ID, want alert.Stage) {
	w.t.Helper()
	if got := w.link(id).Stage; got != want {
		w.t.Fatalf("stage %q, want %q: %+v", got, want, w.link(id))
	}
}

func (w *world) tickets(want int) {
	w.t.Helper()
	if got := len(w.remote.Tickets()); got != want {
		w.t.Fatalf("%d tickets, want %d: %+v", got, want, w.remote.Tickets())
	}
}

func (w *world) calls(op string, want int) {
	w.t.Helper()
	if got := len(w.remote.Calls(op)); got != want {
		w.t.Fatalf("%d calls of %s, want %d", got, op, want)
	}
}

// once returns a disturbance of the first call of an operation only.
func once(op string, b forwardtest.Behaviour) func(forwardtest.Call) forwardtest.Behaviour {
	done := false
	return func(c forwardtest.Call) forwardtest.Behaviour {
		if c.Op != op || done {
			return forwardtest.Behaviour{}
		}
		done = true
		return b
	}
}

// loseOnce returns a fault of the first call of a statement only.
func loseOnce(statement string, f forwardtest.Fault) func(string) forwardtest.Fault {
	done := false
	return func(s string) forwardtest.Fault {
		if s != statement || done {
			return forwardtest.None
		}
		done = true
		return f
	}
}

func unknown(msg string) *remote.Failure { return &remote.Failure{Class: remote.Unknown, Msg: msg} }

func retry(msg string) *remote.Failure { return &remote.Failure{Class: remote.Retry, Msg: msg} }

func refused(msg string) *remote.Failure { return &remote.Failure{Class: remote.Permanent, Msg: msg} }

func down() *remote.Failure {
	return &remote.Failure{Class: remote.Retry, Shared: true, Connect: true, Msg: "desk: connection refused"}
}

var errSource = errors.New("the source is away")
