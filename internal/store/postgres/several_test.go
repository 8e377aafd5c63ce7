package postgres_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/intake"
	"tieline/internal/store"
	"tieline/internal/storetest"
)

// silentHost takes connections and says nothing, as a host does whose machine was
// lost behind something that answers for it.
func silentHost(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the system completes what nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// severalHosts is a URL of the database by way of all these addresses.
func severalHosts(t *testing.T, direct string, addresses ...string) string {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = strings.Join(addresses, ",")
	return u.String()
}

// TestSilentHostsBeforeTheOneThatAnswers: a server starts, takes alerts in and
// holds its session, though the waiting for each of them in turn would take longer
// than any of that may.
func TestSilentHostsBeforeTheOneThatAnswers(t *testing.T) {
	direct := storetest.FreshPostgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{u.Host}
	for range 6 {
		addresses = append([]string{silentHost(t)}, addresses...)
	}
	db, err := store.Open(t.Context(), severalHosts(t, direct, addresses...), store.Options{Migrate: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	if err := acceptOne(t, db, "a"); err != nil {
		t.Errorf("accept: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second) // six time limits are 9 s, six head starts 1.5 s
	defer cancel()
	session, err := db.Coordinator().Open(ctx, "alpha", "boot")
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}

// TestTheHostInUseFallsSilent: what was under way by it fails in time, and what
// comes then goes by another one, past a host that is silent all along.
func TestTheHostInUseFallsSilent(t *testing.T) {
	direct := storetest.FreshPostgres(t)
	first, second := newWire(t, direct), newWire(t, direct)
	all := severalHosts(t, direct, first.listener.Addr().String(), silentHost(t), second.listener.Addr().String())
	db, err := store.Open(t.Context(), all, store.Options{Migrate: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	if err := acceptOne(t, db, "a"); err != nil {
		t.Fatalf("accept: %v", err)
	}
	first.swallow()
	failed := 0
	for err = acceptOne(t, db, "b"); err != nil && failed < 20; err = acceptOne(t, db, "b") {
		failed++
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("try %d: %v", failed, err)
		}
	}
	if err != nil {
		t.Errorf("by no other host after %d tries: %v", failed, err)
	}
}

// TestASilentHostAloneIsSaidInTime: the caller of an Accept still listens.
func TestASilentHostAloneIsSaidInTime(t *testing.T) {
	all := severalHosts(t, "postgres://someone:hush@x/db?sslmode=disable", silentHost(t), silentHost(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a hang would end with another error
	defer cancel()
	_, err := store.Open(ctx, all, store.Options{})
	if fault.KindOf(err) != fault.Unavailable || ctx.Err() != nil {
		t.Fatalf("open: %v", err)
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the password is in %q", err)
	}
}

func acceptOne(t *testing.T, db *store.DB, key string) error {
	t.Helper()
	// Far beyond what Accept allows itself: a hang would end with another error.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := alert.Observation{Source: "prom", Key: key, Status: alert.Open}
	_, err := db.Accept(ctx, intake.Batch{Server: "alpha", Items: []intake.Observed{{Observation: o}}})
	return err
}
