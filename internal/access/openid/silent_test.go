package openid

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tieline/internal/fault"
)

// TestAProviderThatSaysNothing: all who sign in meanwhile wait for one question,
// each no longer than they want to, and not one after another.
func TestAProviderThatSaysNothing(t *testing.T) {
	asked := make(chan struct{}, 100)
	silent := make(chan struct{})
	answer := sync.OnceFunc(func() { close(silent) })
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-silent
		http.Error(w, "not now", http.StatusBadGateway)
	}))
	defer provider.Close()
	defer answer()
	p := New(Config{Issuer: provider.URL, ClientID: "tieline", Redirect: redirect})

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, _, err := p.Begin(ctx, "/"); left <- err }()
	<-asked
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who leaves is told %v", err)
	}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, err := p.Begin(ctx, "/"); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who does not wait so long is told %v", err)
			}
		})
	}
	all.Wait()
	for range 5 {
		all.Go(func() {
			if _, _, err := p.Begin(t.Context(), "/"); fault.KindOf(err) != fault.Unavailable || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who waits is told %v", err)
			}
		})
	}
	if len(asked) != 0 {
		t.Errorf("the provider is asked %d times more", len(asked))
	}
	answer()
	all.Wait()
}
