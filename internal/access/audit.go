package access

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tieline/internal/fault"
)

// Outcome is what became of what was asked.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // not allowed: no sign-in, no permission, a foreign form, too many tries
	Failed  Outcome = "failed"  // allowed, but it could not be done
)

// Entry is one line of the audit.
type Entry struct {
	ID      int64     // grows with each entry
	At      time.Time // by the database's clock
	Who     string    // "" = nobody signed in
	Role    Role
	Via     string // ViaSession, ViaOIDC, ViaToken, ViaCLI; "" = nobody
	Action  string // what was asked, as the route names it
	Target  string // what it was asked of: mostly a path
	Detail  string // what changed, or why it was refused; never a secret
	Outcome Outcome
	Address string // of the client
	Server  string // that answered
}

// Query says which entries a person wants to see, the newest first; zero fields
// ask nothing.
type Query struct {
	Who     string
	Outcome Outcome
	Text    string // anywhere in action, target or detail, in any case
	Before  int64  // the ID of the last entry of the page before
	Limit   int    // 1 to 1000; 0 = 100
}

// Record writes an entry. The lengths of its texts are bounded.
func (s *Service) Record(ctx context.Context, e Entry) error {
	e.Server = s.server
	for _, text := range []*string{&e.Who, &e.Action, &e.Target, &e.Detail, &e.Address} {
		*text = bound(*text)
	}
	return s.store.AddEntry(ctx, e)
}

// maxText bounds a text of the audit, in bytes.
const maxText = 500

func bound(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "�")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// Audit returns a page of the audit.
func (s *Service) Audit(ctx context.Context, q Query) ([]Entry, error) {
	switch q.Outcome {
	case "", Done, Refused, Failed:
		return s.store.Entries(ctx, q)
	}
	return nil, fault.InvalidInput("the audit cannot be searched so", []fault.Problem{
		{Path: "outcome", Message: fmt.Sprintf("%q is no outcome: write done, refused or failed", clip(string(q.Outcome)))},
	})
}

// Remarks collects what a request's audit entry should say beyond what was asked.
type Remarks struct {
	mu    sync.Mutex
	texts []string
}

type remarksKey struct{}

// WithRemarks returns a context in which Remark adds to what is returned.
func WithRemarks(ctx context.Context) (context.Context, *Remarks) {
	r := &Remarks{}
	return context.WithValue(ctx, remarksKey{}, r), r
}

// Remark adds to the audit entry of the request that ctx is of, for instance
// "viewer -> operator". Outside a request it does nothing. Never give it a secret.
func Remark(ctx context.Context, format string, args ...any) {
	if r, ok := ctx.Value(remarksKey{}).(*Remarks); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.texts = append(r.texts, fmt.Sprintf(format, args...))
	}
}

// String joins the remarks.
func (r *Remarks) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.texts, "; ")
}
