package connector

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"tieline/internal/alert"
)

// Subscription is a compiled subscription by itself, for trying one out before
// it stands in a document.
type Subscription struct{ expression *expression } // nil = every alert

// NewSubscription compiles a subscription. The error's text is for the person
// who wrote it.
func NewSubscription(text string) (*Subscription, error) {
	if strings.TrimSpace(text) == "" {
		return &Subscription{}, nil
	}
	e, err := compileExpression(text, cel.BoolType)
	if err != nil {
		return nil, err
	}
	return &Subscription{e}, nil
}

// Matches is Compiled.Matches for this subscription.
func (s *Subscription) Matches(a *alert.Alert) (matches bool, problem string) {
	if s.expression == nil {
		return true, ""
	}
	matches, err := s.expression.truth(dataOf(a))
	if err != nil {
		return false, fmt.Sprintf("the subscription could not be evaluated: %s", err)
	}
	return matches, ""
}

// Mapping is one compiled value by itself, for trying it out.
type Mapping struct{ mapping mapping }

// NewMapping compiles a value. The error's text is for the person who wrote it.
func NewMapping(v Value) (*Mapping, error) {
	m, err := compileValue(v)
	if err != nil {
		return nil, err
	}
	return &Mapping{m}, nil
}

// Text is what the value comes to for an alert, before a ticket's subject is cut
// to its length. The error's text is for the person who wrote the value.
func (m *Mapping) Text(a *alert.Alert) (string, error) { return m.mapping.text(dataOf(a)) }
