package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/config"
	"tieline/internal/store"
	"tieline/internal/storetest/peer"
)

// TestADatabaseThatSaysNothing pauses PostgreSQL, as a host that hangs does: pages,
// sign-in and API answer all the same, however many ask, and go on afterwards.
func TestADatabaseThatSaysNothing(t *testing.T) {
	url, postgres := peer.Postgres(t, "../../test/peers/postgres.sh")
	t.Cleanup(func() { postgres("resume") }) // one that is paused does not end
	db, err := store.Open(t.Context(), url, store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	group, err := db.Group(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{T: t, db: db, web: newWeb(db, group, config.Default(), "one", slog.New(slog.DiscardHandler))}
	for _, role := range access.Roles() {
		if _, err := db.AddAccount(t.Context(), access.Account{Name: string(role), Kind: access.Local, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	w.web.mount(mux)
	person, program := w.session(access.Admin), w.token(access.Admin)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	ask := func(v visitor, method, path string) (status int, header http.Header, body string) {
		r := v.request(method, path)
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", strings.TrimPrefix(server.URL, "http://")
		answer, err := (&http.Client{Timeout: time.Minute}).Do(r) // without a time it would be without end
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return 0, nil, ""
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return answer.StatusCode, answer.Header, string(text)
	}

	postgres("pause")
	var all sync.WaitGroup
	for range 5 {
		for _, c := range []struct {
			who          visitor
			method, path string
			want         int
			says         string
		}{
			{person, "GET", "/", 503, "The database does not answer"},
			{person, "GET", "/connectors/desk", 503, "loads again by itself"},
			{person, "GET", "/live?page=/", 503, "The database does not answer"},
			{program, "GET", "/api/v1/me", 503, "the database"},
			{program, "POST", "/api/v1/refresh", 503, "the database"},
		} {
			all.Go(func() {
				status, header, body := ask(c.who, c.method, c.path)
				if status != c.want || !strings.Contains(body, c.says) {
					t.Errorf("%s %s: %d, want %d and %q: %.600s", c.method, c.path, status, c.want, c.says, body)
				}
				if status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
					t.Errorf("%s %s does not say when to try again", c.method, c.path)
				}
			})
		}
	}
	all.Wait()
	if status, _, body := ask(visitor{}, "GET", guard.SignInPath); status != 200 || !strings.Contains(body, "Sign in") {
		t.Errorf("the sign-in page: %d: %.600s", status, body)
	}
	postgres("resume")
	eventually(t, "the pages are there again", func() bool {
		status, _, _ := ask(person, "GET", "/")
		return status == http.StatusOK
	})
}
