package intake

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/alert"
)

// TestWhatWasNotWaitedForIsNotStored: in a process that was frozen a request may
// be read long after whoever sent it said it to another server.
func TestWhatWasNotWaitedForIsNotStored(t *testing.T) {
	const requests = 200
	late := &lateListener{}
	d := newDesk(t)
	d.handler.Observe.Request = nil
	d.store.took = 20 * time.Millisecond // as any database takes to find what it knows of an alert
	server := httptest.NewUnstartedServer(d.Handler)
	late.Listener, server.Listener = server.Listener, late
	server.Start()
	defer server.Close()
	for i := range requests {
		say(t, late.Addr().String(), i)
	}
	answer, err := http.Post(server.URL+"/v1/sources/open", "application/json", nil) // the one that waits is answered after them
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	// What is read a moment before its connection is found closed may be stored.
	if stored := len(d.store.latest); stored > requests/4 {
		t.Errorf("%d of %d alerts were stored although nobody waited for an answer", stored, requests)
	}
}

// say sends an alert and hangs up at once.
func say(t *testing.T, address string, i int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := fmt.Sprintf(`{"key": "k%d", "status": "open"}`, i)
	if _, err := fmt.Fprintf(conn, "POST /v1/sources/open HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
}

// lateListener takes a connection only when its peer has said all it says.
type lateListener struct{ net.Listener }

func (l *lateListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		time.Sleep(2 * time.Millisecond) // the peer hangs up within it, as nothing answers
	}
	return conn, err
}

func TestACallerWhoseTimeIsOverIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		g := newGate(t, s)
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := &call{ctx: thawed{gone}, observations: firing("late"), done: make(chan struct{})}
		other := &call{ctx: t.Context(), observations: firing("waits"), done: make(chan struct{})}
		time.Sleep(2 * time.Second)
		g.fly([]*call{c, other})
		<-c.done
		if c.err == nil || c.accepted != nil {
			t.Errorf("the late caller was told %v, %v", c.accepted, c.err)
		}
		if other.err != nil || len(other.accepted) != 1 || other.accepted[0].Change != alert.Raised {
			t.Errorf("the other one was told %v, %v", other.accepted, other.err)
		}
		if _, stored := s.latest[subject{"s", "late"}]; stored {
			t.Error("what the late caller brought was stored")
		}
	})
}

// thawed is a context whose timer has yet to tell.
type thawed struct{ context.Context }

func (thawed) Err() error { return nil }
