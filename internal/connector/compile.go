package connector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// Compiled is a document as servers run it. It is immutable and safe for
// concurrent use.
type Compiled struct {
	doc          *Document
	subscription *expression // nil = every alert
	subject      mapping
	body         mapping
	fields       map[string]mapping // without subject and body
}

// maxSubject bounds a ticket's subject, in characters.
const maxSubject = 255

// Compile makes of a document what servers run. The document must not be
// changed afterwards. One that Parse returned always compiles; for another the
// error is of kind fault.Invalid and lists every problem.
func Compile(doc *Document) (*Compiled, error) {
	compiled, problems := compile(doc)
	if err := fault.InvalidInput(title(doc)+" is not valid", problems); err != nil {
		return nil, err
	}
	return compiled, nil
}

func compile(doc *Document) (*Compiled, []fault.Problem) {
	problems := validate(doc)
	c := &Compiled{doc: doc, fields: make(map[string]mapping)}
	if strings.TrimSpace(doc.Subscription) != "" {
		var err error
		if c.subscription, err = compileExpression(doc.Subscription, cel.BoolType); err != nil {
			problems.each("subscription", err)
		}
	}
	for name, value := range sorted(doc.Fields) {
		path := join("fields", name)
		problems.word(path, name)
		if name == "" {
			problems.add(path, "the field's name is empty")
		}
		compiled, err := compileValue(value)
		if err != nil {
			problems.each(path, err)
			continue
		}
		c.fields[name] = compiled
	}
	for name, slot := range map[string]*mapping{"subject": &c.subject, "body": &c.body} {
		*slot = c.fields[name]
		delete(c.fields, name)
		if _, ok := doc.Fields[name]; !ok {
			problems.add("fields."+name, "a mapping is needed")
		}
	}
	return c, problems
}

// Name is the connector's.
func (c *Compiled) Name() string { return c.doc.Name }

// Document is what was compiled. It must not be changed.
func (c *Compiled) Document() *Document { return c.doc }

// Source returns the connector's source of that name.
func (c *Compiled) Source(name string) (Source, bool) {
	for _, s := range c.doc.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// Matches reports whether the connector's subscription takes the alert, and
// when it could not be told, why: then it does not. The alert's source is not
// looked at.
func (c *Compiled) Matches(a *alert.Alert) (matches bool, problem string) {
	if c.subscription == nil {
		return true, ""
	}
	matches, err := c.subscription.truth(dataOf(a))
	if err != nil {
		return false, fmt.Sprintf("the subscription could not be evaluated: %s", err)
	}
	return matches, ""
}

// Draft maps the alert to what its ticket should show; nothing of the link is
// needed for it. Its error, of kind fault.Invalid, is permanent for this
// revision: it names the fields that could not be mapped.
func (c *Compiled) Draft(a *alert.Alert, _ *alert.Link, key alert.Key) (alert.Draft, error) {
	d := dataOf(a)
	var problems findings
	text := func(name string, m mapping) string {
		value, err := m.text(d)
		if err != nil {
			problems.add(join("fields", name), "%s", err)
		}
		return value
	}
	draft := alert.Draft{
		Key:      key,
		Revision: a.Revision,
		Subject:  truncate(maxSubject, oneLine(text("subject", c.subject))),
		Body:     strings.TrimSpace(text("body", c.body)),
		Severity: c.Severity(a.Severity),
		Alert:    a,
	}
	if len(c.fields) > 0 {
		draft.Fields = make(map[string]string, len(c.fields))
	}
	for name, field := range sorted(c.fields) {
		draft.Fields[name] = text(name, field)
	}
	draft.State, draft.Comment = c.state(a)
	return draft, fault.InvalidInput("the alert could not be mapped to "+c.doc.Name+"'s fields", problems)
}

// Severity maps the source's word to the remote's.
func (c *Compiled) Severity(word string) string {
	if mapped, ok := c.doc.Severity.Map[word]; ok {
		return mapped
	}
	return otherwise(word, c.doc.Severity.Default)
}

// state is the remote state that the alert's status maps to, and what to say
// when it is set.
func (c *Compiled) state(a *alert.Alert) (state, comment string) {
	at, ended := "", timeText(a.EndsAt)
	if a.Status != alert.Closed {
		return c.doc.States.Open, "The alert is open at its source " + a.Source + "."
	}
	if ended != "" {
		at = " at " + ended
	}
	return c.doc.States.Closed, "The alert closed at its source " + a.Source + at + "."
}

// CloseAction is what a closing alert does to its ticket: CloseResolve,
// CloseComment or CloseLeave.
func (c *Compiled) CloseAction() string { return c.doc.Lifecycle.Close.Action }

// CloseWait is how long a close waits before the ticket is told.
func (c *Compiled) CloseWait() time.Duration { return time.Duration(c.doc.Lifecycle.Close.Wait) }

// SkipUnsent reports whether an alert that closed before it was ever claimed is
// left out.
func (c *Compiled) SkipUnsent() bool { return c.doc.Lifecycle.SkipClosedUnsent }

// BackState maps a remote state to what the source should show; ok is false
// when the source is told nothing.
func (c *Compiled) BackState(remoteState string) (sourceState string, ok bool) {
	sourceState, ok = c.doc.States.Back[remoteState]
	return sourceState, ok
}

// StateClass is what a remote state means to the life cycle table.
func (c *Compiled) StateClass(remoteState string) string {
	if class, ok := c.doc.States.Classes[remoteState]; ok {
		return class
	}
	if c.Ended(remoteState) {
		return ClassClosed
	}
	return ClassOpen
}

// Ended reports whether a ticket in that state can no longer be worked.
func (c *Compiled) Ended(remoteState string) bool {
	return slices.Contains(c.doc.States.Ended, remoteState)
}

// Refire is the life cycle table's entry for the class of the earlier ticket's
// state, as StateClass tells it.
func (c *Compiled) Refire(class string) Refire {
	if refire, ok := c.doc.Lifecycle.Refire[class]; ok {
		return refire
	}
	return Refire{Action: RefireNew}
}

// Decide is the entry's action for an earlier alert that closed so long ago.
func (r Refire) Decide(ago time.Duration) string {
	uses := r.Action == RefireReopen || r.Action == RefireComment
	if uses && r.Within > 0 && ago > time.Duration(r.Within) {
		return RefireLinked
	}
	return r.Action
}

// Keep is how long a closed alert is kept; 0 = for ever.
func (c *Compiled) Keep() time.Duration {
	return time.Duration(c.doc.Retention.Days) * 24 * time.Hour
}

// UsesEarlier reports whether an alert that fired again now would go on with
// the ticket of one that closed so long ago, whose ticket is in that state.
func (c *Compiled) UsesEarlier(remoteState string, ago time.Duration) bool {
	action := c.Refire(c.StateClass(remoteState)).Decide(ago)
	return action == RefireReopen || action == RefireComment
}

// Limits are the document's, with their defaults.
func (c *Compiled) Limits() Limits { return c.doc.Limits }
