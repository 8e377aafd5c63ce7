package remote

import (
	"context"
	"sync"
)

// Visit notes where a call of an adapter went, for the alert's timeline. It is
// handed down with the context, because it is told of every call, whatever the
// call answers and whether it fails; nothing is decided by it.
type Visit struct {
	mu       sync.Mutex
	endpoint string
}

type visitKey struct{}

// WithVisit returns a context whose calls are noted, and the notes.
func WithVisit(ctx context.Context) (context.Context, *Visit) {
	v := &Visit{}
	return context.WithValue(ctx, visitKey{}, v), v
}

// Visited notes that a call goes to an endpoint, by a label without credentials:
// scheme and host, or a directory. Client does it for the adapters that use it.
func Visited(ctx context.Context, endpoint string) {
	if v, ok := ctx.Value(visitKey{}).(*Visit); ok {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.endpoint = endpoint
	}
}

// Endpoint is where the call went last: of several endpoints the one whose answer
// it is, or the one that failed last. "" = nowhere.
func (v *Visit) Endpoint() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.endpoint
}
