package app

import (
	"bufio"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/store"
	"tieline/internal/store/sqlite"
)

// TestConsoleOfAGroupThatMoves: a console that runs alone hears of it, by whatever
// is asked of it next, and lets nothing be changed; one that is started refuses.
func TestConsoleOfAGroupThatMoves(t *testing.T) {
	dir := t.TempDir()
	cfg := settings(dir, "one")
	stop(t, start(t, cfg))
	apply(t, dir, newDesk(t).document)
	c := NewConsole(Options{Config: cfg, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	<-c.Welcome()
	people, base := c.app.web.services.access, "http://"+c.Addr()
	if _, err := people.AddAccount(t.Context(), "ann", password, access.Admin); err != nil {
		t.Fatal(err)
	}
	_, token, err := people.CreateToken(t.Context(), access.NewToken{Name: "ci", Role: access.Admin, Valid: access.MaxTokenTime, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t)
	if status, path, _ := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {password}}); status != 200 || path != "/" {
		t.Fatalf("signed in: %d at %s", status, path)
	}
	live, err := p.Get(base + "/live?page=/")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Body.Close()

	if _, err := store.Copy(t.Context(), cfg.Database.URL.Reveal(), "sqlite:"+filepath.Join(dir, "new.db"), store.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	const says = "was moved to another database"
	for lines := bufio.NewScanner(live.Body); ; {
		if !lines.Scan() {
			t.Error("the live page ended and did not say why")
			break
		}
		if strings.Contains(lines.Text(), says) {
			break
		}
	}
	for _, path := range []string{"/", "/connectors/desk/history", "/alerts", "/settings/accounts"} {
		if status, _, page := p.open(base + path); status != http.StatusConflict || !strings.Contains(page, says) || !strings.Contains(page, "TIELINE_DATABASE_URL") {
			t.Errorf("%s: %d: %s", path, status, page)
		}
	}
	if status, _, page := newPerson(t).send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {password}}); status != http.StatusConflict || !strings.Contains(page, says) {
		t.Errorf("somebody signs in: %d", status)
	}
	for _, ask := range [][2]string{{"GET", "/connectors"}, {"POST", "/parked/retry"}, {"POST", "/accounts"}} {
		resp := call(t, ask[0], base+"/api/v1"+ask[1], token.Reveal(), "{}")
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusConflict || resp.Header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(string(body), says) || !strings.Contains(string(body), `"next"`) {
			t.Errorf("%s %s: %d: %s", ask[0], ask[1], resp.StatusCode, body)
		}
	}
	late := NewConsole(Options{Config: cfg})
	if err := late.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-late.Done()
	if err := late.Err(); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), says) {
		t.Errorf("a console that is started there: %v", err)
	}
	if err := late.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestServerOfAGroupThatMoved: one that comes back after it counted as dead takes
// nothing in, is not ready, and ends by itself, saying why.
func TestServerOfAGroupThatMoved(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, newDesk(t).document)
	a := start(t, settings(dir, "one"))
	raw, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(dir, "tieline.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	// As store.Copy leaves it.
	if _, err := raw.Exec("UPDATE management_group SET name = name || ' [moved]'"); err != nil {
		t.Fatal(err)
	}
	resp := call(t, "POST", "http://"+a.Addr()+"/v1/sources/shop", "none", `{"key": "late"}`)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "was moved to another database") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("an alert is answered %d: %s", resp.StatusCode, body)
	}
	if status, body := get(t, a, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "was moved") {
		t.Errorf("ready: %d: %s", status, body)
	}
	if _, err := raw.Exec("UPDATE server SET boot = '', presence = ''"); err != nil {
		t.Fatal(err)
	}
	a.runner.Beat()
	<-a.Done()
	if err := a.Err(); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "was moved to another database") {
		t.Errorf("it ended: %v", err)
	}
}
