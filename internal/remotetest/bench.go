package remotetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// bench is one test's adapter.
type bench struct {
	Harness
	remote.Adapter
	ctx context.Context
	key alert.Key
}

func newBench(t *testing.T, h Harness) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &bench{Harness: h, Adapter: h.Working(t), ctx: ctx, key: NewKey()}
}

// NewKey returns a key that no other test has.
func NewKey() alert.Key { return alert.NewKey(uuid.New(), "desk", alert.NewID()) }

// Draft returns a draft of an open alert.
func Draft(k alert.Key, revision int64, fields map[string]string) alert.Draft {
	return alert.Draft{
		Key: k, Revision: revision, Subject: "disk full on db1", Body: "first line\nsecond line",
		Severity: "critical", Fields: fields,
		Alert: &alert.Alert{
			ID: alert.NewID(), Source: "test", Key: "fingerprint", Status: alert.Open, Revision: revision,
			StartsAt: time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC),
			Content:  alert.Content{Severity: "critical", Summary: "disk full on db1", Labels: map[string]string{"instance": "db1"}},
		},
	}
}

func (b *bench) draft(revision int64) alert.Draft { return Draft(b.key, revision, b.Fields) }

func (b *bench) create(t *testing.T) alert.Ticket {
	t.Helper()
	ticket, err := b.Create(b.ctx, b.draft(1))
	b.must(t, err)
	return ticket
}

func (b *bench) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		checkText(t, err, b.Secrets)
		t.Fatalf("a working remote failed: %v", err)
	}
}

// failure checks what holds for every failure, and returns it.
func failure(t *testing.T, err error, secrets []string) *remote.Failure {
	t.Helper()
	if err == nil {
		t.Fatal("the call succeeded")
	}
	var f *remote.Failure
	if !errors.As(err, &f) {
		t.Fatalf("the error is no *remote.Failure: %v", err)
	}
	checkText(t, err, secrets)
	return f
}

// checkText checks that an error can be shown: short, one line, no secret.
func checkText(t *testing.T, err error, secrets []string) {
	t.Helper()
	var f *remote.Failure
	if errors.As(err, &f) {
		if f.Msg == "" || len(f.Msg) > 1200 || strings.ContainsAny(f.Msg, "\n\r\x00\x1b") {
			t.Errorf("the message cannot be shown: %q", f.Msg)
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, s := range secrets {
			if strings.Contains(e.Error(), s) {
				t.Errorf("a secret is in the error %q", strings.ReplaceAll(e.Error(), s, "SECRET"))
			}
		}
	}
}
