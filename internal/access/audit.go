package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tieline/internal/fault"
)

// Outcome is what became of what was asked.
type Outcome string

// The outcomes.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged" // allowed, and there was nothing to change
	Refused   Outcome = "refused"   // not allowed: no sign-in, no permission, a foreign form, too many tries
	Failed    Outcome = "failed"    // allowed, but it could not be done
	// Begun is of what is being done, and of what a server that was stopped began:
	// whether it was done is not known.
	Begun Outcome = "begun"
)

// Outcomes are all of them.
func Outcomes() []Outcome { return []Outcome{Done, Unchanged, Refused, Failed, Begun} }

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

// Record writes an entry of what changed nothing, such as a refusal. The lengths
// of its texts are bounded.
func (s *Service) Record(ctx context.Context, e Entry) error {
	return s.store.AddEntry(ctx, s.bounded(e))
}

// Begin writes the entry of a change before it is made, so that there is no
// change without one, whatever ends the process. Do not make the change when it
// fails, and tell End what became of it, with the entry that Begin returned.
func (s *Service) Begin(ctx context.Context, e Entry) (Entry, error) {
	var err error
	e.Outcome = Begun
	e.ID, err = s.store.BeginEntry(ctx, s.bounded(e))
	return e, err
}

// End completes an entry: who it was, the detail and the outcome; without an
// outcome the entry is taken back.
func (s *Service) End(ctx context.Context, e Entry) error {
	return s.store.EndEntry(ctx, s.bounded(e))
}

func (s *Service) bounded(e Entry) Entry {
	e.Server = s.server
	for _, text := range []*string{&e.Who, &e.Action, &e.Target, &e.Detail, &e.Address} {
		*text = bound(*text)
	}
	return e
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
	if q.Outcome == "" || slices.Contains(Outcomes(), q.Outcome) {
		return s.store.Entries(ctx, q)
	}
	return nil, fault.InvalidInput("the audit cannot be searched so", []fault.Problem{
		{Path: "outcome", Message: fmt.Sprintf("%q is no outcome: write done, unchanged, refused, failed or begun", clip(string(q.Outcome)))},
	})
}

// Remarks collects what a request's audit entry should say beyond what was asked.
type Remarks struct {
	mu      sync.Mutex
	texts   []string
	outcome Outcome // "" = as it looks from outside
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
	remark(ctx, "", fmt.Sprintf(format, args...))
}

// NothingChanged makes the audit entry of the request say that there was nothing
// to change.
func NothingChanged(ctx context.Context) { remark(ctx, Unchanged, "nothing changed") }

// NotDone makes the audit entry of the request say that it could not be done, and
// why, where the answer does not look like it: a page that tells so.
func NotDone(ctx context.Context, err error) {
	outcome := Failed
	switch fault.KindOf(err) {
	case fault.Unauthorized, fault.Forbidden, fault.TooMany:
		outcome = Refused
	}
	text, _, _ := strings.Cut(fault.Message(err), "\n") // what to do about it is for whoever asked
	remark(ctx, outcome, text)
}

func remark(ctx context.Context, outcome Outcome, text string) {
	r, ok := ctx.Value(remarksKey{}).(*Remarks)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
	if outcome != "" {
		r.outcome = outcome
	}
}

// Outcome is what the request came to, given how it looks from outside: what
// looks done may have changed nothing, or say on its page that it was not done.
func (r *Remarks) Outcome(looks Outcome) Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	if looks == Done && r.outcome != "" {
		return r.outcome
	}
	return looks
}

// String joins the remarks.
func (r *Remarks) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.texts, "; ")
}
