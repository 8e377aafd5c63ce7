package postgres_test

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tieline/internal/fault"
	"tieline/internal/store"
	"tieline/internal/storetest"
)

// TestAwayIsSaidInTime takes the database away in each way a network can, and
// back: Accept says so while its caller still listens, and works afterwards.
func TestAwayIsSaidInTime(t *testing.T) {
	direct := storetest.FreshPostgres(t)
	wire := newWire(t, direct)
	db, err := store.Open(t.Context(), wire.url, store.Options{Migrate: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	accept := func() error { return acceptOne(t, db, "a") }
	if err := accept(); err != nil {
		t.Fatalf("accept: %v", err)
	}
	for _, how := range []struct {
		name string
		away func()
	}{{"refuses", wire.refuse}, {"says nothing", wire.swallow}} {
		how.away()
		began := time.Now()
		for try := range 3 {
			err := accept()
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("it %s, try %d: %v", how.name, try, err)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it %s: three tries took %v", how.name, took)
		}
		wire.pass()
		if err := accept(); err != nil {
			t.Errorf("it is back after it %s: %v", how.name, err)
		}
	}
}

func TestOpenSaysThatNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), "postgres://someone:hush@"+address+"/db", store.Options{})
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("open: %v", err)
	}
	for _, text := range []string{err.Error(), fault.Message(err)} {
		if strings.Contains(text, "hush") {
			t.Errorf("the password is in %q", text)
		}
	}
}

// wire is the network between the store and its database.
type wire struct {
	url      string
	upstream string
	listener net.Listener

	mu    sync.Mutex
	state string // "pass", "refuse", "swallow"
	conns []net.Conn
}

func newWire(t *testing.T, direct string) *wire {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{upstream: u.Host, listener: l, state: "pass"}
	u.Host = l.Addr().String()
	w.url = u.String()
	var wg sync.WaitGroup
	wg.Go(func() { w.serve(&wg) })
	t.Cleanup(func() {
		_ = l.Close()
		w.cut("refuse")
		wg.Wait()
	})
	return w
}

func (w *wire) serve(wg *sync.WaitGroup) {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		state := w.state
		w.conns = append(w.conns, near)
		w.mu.Unlock()
		switch state {
		case "refuse":
			_ = near.Close()
		case "pass":
			wg.Go(func() { w.carry(near) })
		}
	}
}

func (w *wire) carry(near net.Conn) {
	far, err := net.Dial("tcp", w.upstream)
	if err != nil {
		_ = near.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, far)
	w.mu.Unlock()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		wg.Go(func() {
			w.copy(way[0], way[1])
			_, _ = way[0].Close(), way[1].Close()
		})
	}
	wg.Wait()
}

// copy carries bytes while the wire passes them, and drops them while it
// swallows.
func (w *wire) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		pass := w.state == "pass"
		w.mu.Unlock()
		if pass {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

func (w *wire) refuse()  { w.cut("refuse") }
func (w *wire) swallow() { w.set("swallow") }
func (w *wire) pass()    { w.cut("pass") }

func (w *wire) set(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = state
}

// cut ends every connection.
func (w *wire) cut(state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = state
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}
