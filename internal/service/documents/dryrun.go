package documents

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
)

// Ticket is what a ticket would say.
type Ticket struct {
	Subject  string            `json:"subject"`
	Body     string            `json:"body"`
	Severity string            `json:"severity"`
	State    string            `json:"state"`
	Fields   map[string]string `json:"fields,omitempty"`
}

// Fate is what one version of a document makes of an alert.
type Fate struct {
	Matches bool    `json:"matches"`
	Problem string  `json:"problem,omitempty"` // why it could not be told, or could not be mapped
	Ticket  *Ticket `json:"ticket,omitempty"`  // where it matches and can be mapped
}

// Trial is one stored alert of a dry run.
type Trial struct {
	Alert   alert.Alert `json:"-"`
	Verdict Verdict     `json:"verdict"`
	Live    Fate        `json:"live"`
	Draft   Fate        `json:"draft"`
	Differs []string    `json:"differs,omitempty"` // "matches", "subject", "fields.host", ...
}

// Verdict says in one word how a draft treats an alert, beside the current version.
type Verdict string

// The verdicts, those first that somebody should look at first.
const (
	Fails   Verdict = "fails"   // the draft cannot map it, or cannot evaluate its subscription for it
	Ends    Verdict = "ends"    // matched by the current version alone
	Begins  Verdict = "begins"  // matched by the draft alone
	Mends   Verdict = "mends"   // matched by both, and mapped by the draft alone
	Changes Verdict = "changes" // matched by both, with another ticket
	Same    Verdict = "same"    // matched by both, with the same ticket
	Neither Verdict = "neither" // matched by none of them
)

// Verdicts are all of them in that order.
var Verdicts = []Verdict{Fails, Ends, Begins, Mends, Changes, Same, Neither}

func verdictOf(t Trial) Verdict {
	switch {
	case t.Draft.Problem != "":
		return Fails
	case t.Draft.Matches && !t.Live.Matches:
		return Begins
	case t.Live.Matches && !t.Draft.Matches:
		return Ends
	case !t.Draft.Matches:
		return Neither
	case t.Live.Problem != "":
		return Mends
	case len(t.Differs) > 0:
		return Changes
	}
	return Same
}

// DryRun is what a draft would make of stored alerts. Nothing is sent.
type DryRun struct {
	Looked   int           `json:"looked"` // at so many of the newest alerts
	Asked    int           `json:"asked"`
	Complete bool          `json:"complete"` // false = time ran out
	Took     time.Duration `json:"-"`
	Live     int           `json:"live"`    // matched by the current version
	Draft    int           `json:"draft"`   // matched by the draft
	Begins   int           `json:"begins"`  // matched by the draft alone
	Ends     int           `json:"ends"`    // matched by the current version alone
	Differs  int           `json:"differs"` // matched by both, with another ticket or with one by one of them alone
	Failed   int           `json:"failed"`  // the draft cannot map or evaluate them

	Counts map[Verdict]int `json:"counts"` // of the trials, each by its verdict
	Trials []Trial         `json:"trials"` // the newest alerts first
}

// DryRun tries a state on the newest stored alerts beside the current version:
// n of them, 0 = DryRunSize, at most DryRunMost. The error is fault.Invalid with
// every problem when the state is not valid.
func (s *Service) DryRun(ctx context.Context, state State, n int) (DryRun, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, dryRunTime)
	defer cancel()
	if err := fault.InvalidInput("the draft is not valid, so that it cannot be tried", state.Problems); err != nil {
		return DryRun{}, err
	}
	draft, err := connector.Compile(state.Doc)
	if err != nil {
		return DryRun{}, err
	}
	live := compileLive(state.Live.Text)
	run := DryRun{Asked: min(cmp.Or(max(n, 0), DryRunSize), DryRunMost), Complete: true, Counts: map[Verdict]int{}}
	docs := []*connector.Document{state.Doc}
	if live != nil {
		docs = append(docs, live.Document())
	}
	alerts, err := s.sample(ctx, run.Asked, docs...)
	if err != nil {
		return DryRun{}, err
	}
	for i := range alerts {
		if ctx.Err() != nil {
			run.Complete = false
			break
		}
		run.add(Trial{Alert: alerts[i], Live: fate(live, &alerts[i]), Draft: fate(draft, &alerts[i])})
	}
	run.Took = time.Since(begun)
	return run, nil
}

// compileLive is nil where there is no current version, or none that this
// program can run.
func compileLive(text string) *connector.Compiled {
	doc, err := connector.Parse([]byte(text))
	if err != nil {
		return nil
	}
	compiled, err := connector.Compile(doc)
	if err != nil {
		return nil
	}
	return compiled
}

func (r *DryRun) add(t Trial) {
	t.Differs = differences(t.Live, t.Draft)
	t.Verdict = verdictOf(t)
	r.Looked++
	if t.Live.Matches {
		r.Live++
	}
	if t.Draft.Matches {
		r.Draft++
	}
	if t.Draft.Problem != "" {
		r.Failed++
	}
	switch {
	case t.Draft.Matches && !t.Live.Matches:
		r.Begins++
	case t.Live.Matches && !t.Draft.Matches:
		r.Ends++
	case len(t.Differs) > 0:
		r.Differs++
	}
	r.Counts[t.Verdict]++
	r.Trials = append(r.Trials, t)
}

// fate is what a document makes of an alert; nil makes nothing of it.
func fate(k *connector.Compiled, a *alert.Alert) Fate {
	if k == nil {
		return Fate{}
	}
	if _, ok := k.Source(a.Source); !ok {
		return Fate{}
	}
	matches, problem := k.Matches(a)
	if !matches {
		return Fate{Problem: problem}
	}
	draft, err := k.Draft(a, nil, "")
	if err != nil {
		return Fate{Matches: true, Problem: problemText(err)}
	}
	return Fate{Matches: true, Ticket: &Ticket{
		Subject: draft.Subject, Body: draft.Body, Severity: draft.Severity, State: draft.State, Fields: draft.Fields,
	}}
}

func problemText(err error) string {
	var texts []string
	for _, p := range fault.ProblemsOf(err) {
		texts = append(texts, p.Path+": "+p.Message)
	}
	return strings.Join(texts, "; ")
}

// differences names what differs between two fates.
func differences(a, b Fate) []string {
	if a.Matches != b.Matches {
		return []string{"matches"}
	}
	if a.Ticket == nil || b.Ticket == nil {
		if (a.Ticket == nil) != (b.Ticket == nil) || a.Problem != b.Problem {
			return []string{"problem"}
		}
		return nil
	}
	var names []string
	for _, c := range []struct{ name, a, b string }{
		{"subject", a.Ticket.Subject, b.Ticket.Subject}, {"body", a.Ticket.Body, b.Ticket.Body},
		{"severity", a.Ticket.Severity, b.Ticket.Severity}, {"state", a.Ticket.State, b.Ticket.State},
	} {
		if c.a != c.b {
			names = append(names, c.name)
		}
	}
	fields := maps.Clone(a.Ticket.Fields)
	if fields == nil {
		fields = make(map[string]string)
	}
	maps.Copy(fields, b.Ticket.Fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		before, was := a.Ticket.Fields[name]
		after, is := b.Ticket.Fields[name]
		if before != after || was != is {
			names = append(names, "fields."+name)
		}
	}
	return names
}
