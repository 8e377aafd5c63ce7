package ha

import "time"

// Plan is what a server should do next, as data.
type Plan struct {
	End   []End   // terms that are over: cancel their contexts before anything else
	Drain []Drain // terms to bring to a planned end
	Begin []Begin // terms that begin
	// Withdraw are the wishes to withdraw, of servers that have gone Offline.
	Withdraw []Withdrawal
	Ask      Ask           // the next call on the session; nil = none now
	Await    []string      // presence names to wait for, all of them; waits for others are ended
	Wake     bool          // tell every server to read the group now
	Sleep    time.Duration // decide again after this long at the latest
	Exit     bool          // a planned stop is complete, or was given up
	Fault    error         // the process must stop: ErrReplaced
}

// Begin starts the work of a term.
type Begin struct {
	Lease    Lease
	Settings Settings
	Reason   Reason
	Adopted  bool // the row named this process already
}

// Drain asks a term's work to finish.
type Drain struct {
	Connector string
	Epoch     int64
	Reason    Reason
	Successor string // who is meant to be next; "" = the order decides
}

// Withdrawal ends an operator's wish for a server that went Offline before it was
// followed. It counts only while the lease shows the epoch and the wish, and the
// server's row no other process than Boot.
type Withdrawal struct {
	Connector string
	Epoch     int64
	Server    string
	Boot      string
}

// End cancels a term's context.
type End struct {
	Connector string
	Epoch     int64
	Why       Ending
}

// Ending says why a term's context was cancelled.
type Ending string

// The endings.
const (
	EndDeposed  Ending = "deposed"          // the lease names another term
	EndTrust    Ending = "not confirmed"    // no renewal was answered within the promised length
	EndDrain    Ending = "drain limit"      // a planned end took too long
	EndIdentity Ending = "database changed" // the database's history is another
	EndReplaced Ending = "replaced"         // the server's row is gone or taken
)

// Ask is one call on the session: Open, Reread, Beat, Take, Release or Doubt.
type Ask interface{ ask() }

// Open opens a new session, closing what is left of the last one.
type Open struct{}

// Reread reads the group.
type Reread struct{}

// Doubt moves a lease to the database's new history (rule L8).
type Doubt struct {
	Connector string
	Epoch     int64
	Identity  string
}

func (Open) ask()    {}
func (Reread) ask()  {}
func (Beat) ask()    {}
func (Take) ask()    {}
func (Release) ask() {}
func (Doubt) ask()   {}

// Answer is what came of an Ask. Err is nil, ErrLost, ErrReplaced, or anything
// else: then the outcome is unknown and the session is gone.
type Answer struct {
	Presence string // of Open
	Group    Group  // of Reread and Beat
	Lease    Lease  // of Take
	Err      error
}
