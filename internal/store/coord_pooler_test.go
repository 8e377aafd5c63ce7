package store

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
	"tieline/internal/store/postgres"
)

// pooler is a transaction pooler: it lends each transaction of its clients the
// backend of one of a few connections, in turn.
type pooler struct {
	address string // where it listens
	free    chan *pgconn.HijackedConn
	trips   atomic.Int64 // round trips so far
}

// startPooler starts one with n backends.
func startPooler(t *testing.T, url string, n int) *pooler {
	t.Helper()
	p := &pooler{free: make(chan *pgconn.HijackedConn, n)}
	for range n {
		conn, err := pgconn.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		backend, err := conn.Hijack()
		if err != nil {
			t.Fatal(err)
		}
		p.free <- backend
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer client.Close()
				p.serve(client)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		clients.Wait()
		for range n {
			backend := <-p.free
			_ = backend.Conn.Close()
		}
	})
	p.address = l.Addr().String()
	return p
}

// serve lets a client in, as whom it announces itself, and runs its transactions.
func (p *pooler) serve(conn net.Conn) {
	client := pgproto3.NewBackend(conn, conn)
	if first, err := client.ReceiveStartupMessage(); err != nil {
		return
	} else if _, ok := first.(*pgproto3.StartupMessage); !ok {
		return // a cancel request
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() != nil {
		return
	}
	for p.transaction(client) == nil {
	}
}

var errClientLeft = errors.New("the client has left")

// transaction runs a client's next transaction on the backend whose turn it is.
func (p *pooler) transaction(client *pgproto3.Backend) error {
	var server *pgconn.HijackedConn
	defer func() {
		if server != nil {
			p.free <- server
		}
	}()
	for {
		msg, err := client.Receive()
		if err != nil {
			return err
		}
		if server == nil {
			server = <-p.free
		}
		switch msg.(type) {
		case *pgproto3.Terminate:
			return errClientLeft
		case *pgproto3.Sync, *pgproto3.Query:
			server.Frontend.Send(msg)
			if err := server.Frontend.Flush(); err != nil {
				return err
			}
			if done, err := p.answer(client, server); done || err != nil {
				return err
			}
		default:
			server.Frontend.Send(msg)
		}
	}
}

// answer passes a backend's answers on; done is false within a transaction.
func (p *pooler) answer(client *pgproto3.Backend, server *pgconn.HijackedConn) (done bool, err error) {
	p.trips.Add(1)
	for {
		msg, err := server.Frontend.Receive()
		if err != nil {
			return false, err
		}
		client.Send(msg)
		if ready, ok := msg.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I', client.Flush()
		}
	}
}

// logText is a log that can be read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// pooled returns a coordinator that reaches the database through a pooler.
func pooled(t *testing.T, url string, backends int) (*postgres.Coordinator, *pooler, *logText) {
	t.Helper()
	c, err := postgres.Config(url)
	if err != nil {
		t.Fatal(err)
	}
	p := startPooler(t, url, backends)
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
	}
	log := &logText{}
	return postgres.NewCoordinator(c, nil, slog.New(slog.NewTextHandler(log, nil))), p, log
}

func TestHeartbeatIsOneRoundTrip(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	addConnector(t, db, "desk")
	join(t, db, "north")
	c, p, _ := pooled(t, url, 1)
	s, err := c.Open(t.Context(), "north", "north-boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := range int64(3) {
		b := beatOf("north", n+1, s)
		b.Renew = []ha.Renewal{{Connector: "desk", Epoch: 1}}
		b.Reports = []ha.Report{{Connector: "desk", Runs: n}}
		before := p.trips.Load()
		mustBeat(t, s, b)
		if trips := p.trips.Load() - before; trips != 1 {
			t.Errorf("heartbeat %d took %d round trips", n+1, trips)
		}
	}
}

func TestNoPresenceBehindATransactionPooler(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	join(t, db, "north")
	c, _, log := pooled(t, url, 3)
	number := int64(0)
	beat := func(s ha.Session) error {
		number++
		_, err := s.Beat(t.Context(), beatOf("north", number, s))
		return err
	}
	s, err := c.Open(t.Context(), "north", "north-boot")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil && number < 5 {
		err = beat(s)
	}
	if !errors.Is(err, coord.ErrNoPresence) {
		t.Fatalf("beats on changing backends: %v, want ErrNoPresence", err)
	}
	_ = s.Close()
	if g, err := db.ReadGroup(t.Context()); err != nil || serverOf(g, "north").Presence != "" || serverOf(g, "north").Beat != number {
		t.Errorf("the row publishes a presence that is not held: %+v, %v", serverOf(g, "north"), err)
	}
	s, err = c.Open(t.Context(), "north", "north-boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Presence() != "" || !c.Pooled() {
		t.Error("the next session takes a presence again")
	}
	for range 3 {
		if err := beat(s); err != nil {
			t.Errorf("beat without presence: %v", err)
		}
	}
	if n := strings.Count(log.String(), "no presence"); n != 1 {
		t.Errorf("the loss was logged %d times, want once:\n%s", n, log)
	}
}

func TestPoolerIsSeenWhenASessionOpens(t *testing.T) {
	c, _, log := pooled(t, freshPostgres(t), 1)
	s, err := c.Open(t.Context(), "north", "north-boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Presence() != "" {
		t.Error("a session on a shared backend has a presence")
	}
	if !strings.Contains(log.String(), "no presence") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}
