package tds

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"

	"tieline/internal/storetest/tds/wire"
)

var errTimeUp = errors.New("the time to wait is up")

// Server is a played SQL Server.
type Server struct {
	postgres *url.URL // any database of the PostgreSQL server
	listener net.Listener
	locks    *locks
	ctx      context.Context //nolint:containedctx // of the server's life
	serving  sync.WaitGroup

	mu       sync.Mutex
	sessions map[int64]*session
	last     int64
	refused  []refusal
	forks    bool   // there is a view of recovery forks
	fork     string // what it shows to sessions; "" = nothing
}

// Play starts a server before the PostgreSQL server of the URL; it ends with the
// test.
func Play(tb testing.TB, postgres string) *Server {
	tb.Helper()
	u, err := url.Parse(postgres)
	if err != nil {
		tb.Fatal("the URL of PostgreSQL cannot be read")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{postgres: u, listener: l, locks: newLocks(), ctx: ctx, sessions: map[int64]*session{}}
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		_ = l.Close()
		s.serving.Wait()
	})
	return s
}

// URL is that of a database, which is PostgreSQL's of the same URL.
func (s *Server) URL(postgres string) string {
	u, err := url.Parse(postgres)
	if err != nil {
		panic(err) // PostgreSQL has been reached by it
	}
	return "sqlserver://sa:played@" + s.listener.Addr().String() + "?encrypt=disable&database=" + u.Path[1:]
}

// request is one that a client made.
type request struct {
	ctx  context.Context //nolint:containedctx // ends when the client gives up
	stop context.CancelFunc
	kind byte
	verb byte // of a request of the transaction manager
	text string
	args map[string]any
	bad  error // why it cannot be read
}

// connection is one client's, read by one goroutine and answered by another, so
// that it is noticed when the client gives a statement up.
type connection struct {
	net.Conn
	ctx context.Context //nolint:containedctx // of the connection's life

	mu      sync.Mutex
	current context.CancelFunc // of the request that is being carried out
	given   bool               // it was given up
}

func (s *Server) serve(conn net.Conn) {
	ctx, cancel := context.WithCancel(s.ctx)
	c := &connection{Conn: conn, ctx: ctx}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer conn.Close()
	defer cancel()
	session, err := s.welcome(c)
	if err != nil {
		return
	}
	todo := make(chan request, 1)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for r := range todo {
			c.answer(session, r)
		}
	}()
	c.read(todo)
	cancel()
	close(todo)
	<-answered
	session.end()
}

// welcome carries a login out.
func (s *Server) welcome(c *connection) (*session, error) {
	for {
		kind, _, body, err := wire.Read(c)
		if err != nil {
			return nil, err
		}
		if kind == wire.PackPrelogin {
			// One option: encryption (1) is not supported (2).
			if err := wire.Write(c, []byte{1, 0, 6, 0, 1, 0xFF, 2}); err != nil {
				return nil, err
			}
			continue
		}
		session, err := s.newSession(c, field(body, 68), field(body, 48))
		if err != nil {
			f := &failure{4060, 11, "Cannot open database: " + err.Error()}
			return nil, errors.Join(err, wire.Write(c, f.answer()))
		}
		ack := append(append([]byte{1, 0x74, 0, 0, 4}, wire.Short("Played")...), 14, 0, 0, 0)
		return session, wire.Write(c, append(wire.Token(wire.TokenLoginAck, ack), wire.Done(0, 0)...))
	}
}

// field is one of the texts of a login.
func field(login []byte, at int) string {
	from, n := int(binary.LittleEndian.Uint16(login[at:])), int(binary.LittleEndian.Uint16(login[at+2:]))
	return wire.Wide(login[from : from+2*n])
}

func (c *connection) read(todo chan<- request) {
	for {
		kind, _, body, err := wire.Read(c)
		if err != nil {
			return
		}
		if kind == wire.PackAttention {
			c.giveUp()
			continue
		}
		body = body[binary.LittleEndian.Uint32(body):] // what stands before is headers
		r := request{kind: kind, args: map[string]any{}}
		switch kind {
		case wire.PackBatch:
			r.text = wire.Wide(body)
		case wire.PackRPC:
			r.text, r.args, r.bad = call(body[6:]) // a procedure by its number, flags
		case wire.PackTransaction:
			r.verb = body[0]
		default:
			return
		}
		r.ctx, r.stop = context.WithCancel(c.ctx)
		c.mu.Lock()
		c.current = r.stop
		c.mu.Unlock()
		todo <- r
	}
}

func (c *connection) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		_ = wire.Write(c, wire.Done(wire.DoneAttention, 0))
		return
	}
	c.given = true
	c.current()
}

// answer carries a request out and tells of it, and that it was given up if so.
func (c *connection) answer(s *session, r request) {
	defer r.stop()
	out := s.run(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		out = append(out, wire.Done(wire.DoneAttention, 0)...)
	}
	c.current, c.given = nil, false
	if err := wire.Write(c, out); err != nil || s.postgres.IsClosed() {
		_ = c.Close()
	}
}
