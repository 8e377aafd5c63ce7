package hatest

import (
	"context"
	"errors"
	"sync"

	"tieline/internal/ha"
)

// presence returns a party that has one; without, the test has nothing to say
// and says so.
func (b *bench) presence(server, boot string) (*party, bool) {
	p := b.party(server, boot)
	if p.Presence() == "" {
		b.Log("the engine has no presence")
	}
	return p, p.Presence() != ""
}

// await waits for a presence beside, and returns when it was seen held.
func (b *bench) await(ctx context.Context, name string) (held chan struct{}, granted chan error) {
	held, granted = make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(held) })
	go func() { granted <- b.Coordinator.Await(ctx, name, once) }()
	return held, granted
}

func (b *bench) receive(what string, c <-chan struct{}, granted <-chan error) {
	b.Helper()
	select {
	case <-c:
	case err := <-granted:
		b.Fatalf("%s: the wait ended first: %v", what, err)
	case <-b.ctx.Done():
		b.Fatalf("%s: nothing came", what)
	}
}

func (b *bench) granted(c <-chan error) {
	b.Helper()
	select {
	case err := <-c:
		if err != nil {
			b.Fatalf("the wait failed: %v", err)
		}
	case <-b.ctx.Done():
		b.Fatal("the wait was not granted")
	}
}

func presenceFresh(b *bench) {
	p, ok := b.presence("a", "boot-a")
	if !ok {
		return
	}
	q := b.party("a", "boot-a")
	if p.Presence() == q.Presence() {
		b.Errorf("two sessions of one process have the presence %q", p.Presence())
	}
	p.beat()
	if err := p.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
	if r := b.party("a", "boot-a"); r.Presence() == p.Presence() {
		b.Errorf("the presence %q is used again", p.Presence())
	}
}

func awaitClose(b *bench) {
	p, ok := b.presence("a", "boot-a")
	if !ok {
		return
	}
	p.beat()
	held, granted := b.await(b.ctx, p.Presence())
	b.receive("held", held, granted)
	p.beat() // a wait does not disturb the holder
	if err := p.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
	b.granted(granted)
}

func awaitKill(b *bench) {
	p, ok := b.presence("a", "boot-a")
	if !ok || b.Kill == nil {
		return
	}
	held, granted := b.await(b.ctx, p.Presence())
	b.receive("held", held, granted)
	b.Kill(b.T, p.Session)
	b.granted(granted)
}

func awaitNobody(b *bench) {
	if _, ok := b.presence("a", "boot-a"); !ok {
		return
	}
	held, granted := b.await(b.ctx, "held-by-nobody")
	b.granted(granted)
	select {
	case <-held:
		b.Error("held was called although nobody holds the name")
	default:
	}
	_, granted = b.await(b.ctx, "held-by-nobody") // the first wait did not keep it
	b.granted(granted)
}

func awaitContext(b *bench) {
	p, ok := b.presence("a", "boot-a")
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(b.ctx)
	held, granted := b.await(ctx, p.Presence())
	b.receive("held", held, granted)
	cancel()
	select {
	case err := <-granted:
		if err == nil {
			b.Error("a cancelled wait was granted")
		}
	case <-b.ctx.Done():
		b.Fatal("a cancelled wait goes on")
	}
	p.beat() // and the holder still holds it
}

func awaitMany(b *bench) {
	p, ok := b.presence("a", "boot-a")
	if !ok {
		return
	}
	var grants []<-chan error
	for range 4 {
		held, granted := b.await(b.ctx, p.Presence())
		b.receive("held", held, granted)
		grants = append(grants, granted)
	}
	if err := p.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
	for _, g := range grants {
		b.granted(g)
	}
}

func beatAfterKill(b *bench) {
	if b.Kill == nil {
		b.Log("the engine's sessions cannot be killed from outside")
		return
	}
	p := b.party("a", "boot-a")
	p.beat()
	b.Kill(b.T, p.Session)
	if _, err := p.Beat(b.ctx, p.next()); err == nil || errors.Is(err, ha.ErrReplaced) || errors.Is(err, ha.ErrLost) {
		b.Errorf("heartbeat on a killed session: %v, want an error that says nothing of the row", err)
	}
	q := b.party("a", "boot-a")
	q.beat() // the same process goes on with a new session
}
