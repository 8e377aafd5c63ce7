package remote

import (
	"errors"
	"fmt"
	"time"
)

// Class says whether a failed call was carried out, and who can mend it.
type Class int

// The classes. The zero value is the careful one.
const (
	Unknown   Class = iota // sent, not answered: may have happened, may yet happen
	Retry                  // certainly not carried out: try again
	Permanent              // refused: a person is needed
)

func (c Class) String() string { return [...]string{"unknown", "retry", "permanent"}[c] }

// Failure is a failed call of an adapter.
type Failure struct {
	Class   Class
	After   time.Duration // earliest next attempt, when the remote named one
	Connect bool          // no endpoint could be connected to; the request never left
	Shared  bool          // concerns the remote as a whole (down, 401, 429), not this alert: feeds the breaker
	Status  int           // HTTP status, 0 = none
	Ticket  string        // a ticket that a failed Create made all the same; "" = none, or not known
	Msg     string        // safe for people: names the endpoint and cause, at most a few hundred characters, no secret
	Err     error         // the cause, for the log; may be nil
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Msg
	}
	return fmt.Sprintf("%s: %v", f.Msg, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// AsFailure returns the failure in the chain. An error that is none is one of
// class Unknown, because nobody can say what became of the call.
func AsFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Class: Unknown, Msg: "the call failed in an unforeseen way", Err: err}
}

// ErrGone is the cause of a Permanent failure when the ticket does not exist any more.
var ErrGone = errors.New("the ticket does not exist in the remote system")

// ErrMerged is the cause of a Permanent failure when people merged the ticket into
// one that is not the alert's: it may belong to another alert, and is left alone.
var ErrMerged = errors.New("the ticket was merged into one that is not the alert's")
