package app

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A request for a source that is not known may be faster than the wake-up that
// tells of its document, and a 404 makes senders give up for good. So the
// documents are read once more before one is given, for askTime at most, and not
// more often than every askPause.
const (
	askTime  = time.Second
	askPause = 200 * time.Millisecond
)

// admitNew lets requests for unknown sources wait for a look at the documents.
func (a *App) admitNew(next http.Handler) http.Handler {
	var mu sync.Mutex
	var last time.Time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := a.router.Table().Door(r.PathValue("source")); !known {
			mu.Lock()
			if time.Since(last) >= askPause {
				a.askDocuments(r.Context())
				last = time.Now()
			}
			mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// askDocuments returns when the documents have been read, or askTime is over.
func (a *App) askDocuments(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	done := make(chan struct{})
	select {
	case a.asked <- done:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
