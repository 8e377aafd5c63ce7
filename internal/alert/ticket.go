package alert

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Key is what a ticket carries so that it can be found again: it names the
// management group, the connector and the alert by their UUIDs, the first two cut
// short. No restore and no other group repeats it, and two connectors that send
// the same alert to the same remote have a ticket each.
type Key string

// NewKey returns the key of the ticket that a connector keeps for an alert.
func NewKey(group uuid.UUID, connector string, id ID) Key {
	return Key(keyPrefix(group, connector) + id.String())
}

// Alert returns the alert that a key of this group and connector names; ok is
// false for any other text.
func (k Key) Alert(group uuid.UUID, connector string) (id ID, ok bool) {
	rest, ok := strings.CutPrefix(string(k), keyPrefix(group, connector))
	if !ok {
		return ID{}, false
	}
	id, err := uuid.Parse(rest)
	return id, err == nil
}

func keyPrefix(group uuid.UUID, connector string) string {
	return "tl-" + group.String()[:8] + "-" + uuid.NewSHA1(group, []byte(connector)).String()[:8] + "-"
}

// Draft is what a ticket should show: an alert's revision after the connector's
// mapping. Adapters translate it, and decide nothing about it.
type Draft struct {
	Key      Key
	Revision int64
	Subject  string
	Body     string            // description, plain text
	Severity string            // the remote's word, after the severity mapping
	State    string            // the remote's word to set; "" leaves the state alone
	Comment  string            // said with a change of state; may be empty
	Fields   map[string]string // remote field -> value
	RefersTo string            // ticket id of an earlier occurrence; may be empty
	Alert    *Alert            // for adapters that send the whole alert (files, webhook)
}

// Ticket is an alert's counterpart as a remote system shows it.
type Ticket struct {
	ID     string
	State  string // the remote's own word
	Open   bool   // whether it can still be worked
	URL    string // a person's page about it; may be empty
	Key    Key    // the key it carries, as far as the answer tells
	Fields map[string]string
}

// Note is a comment or acknowledgement that must arrive by itself, not only as
// part of the newest state.
type Note struct {
	Seq  int64 // order on its link, from 1
	Text string
	At   time.Time // the database's clock
}

// News is one thing a remote system told about a ticket.
type News struct {
	ID     string // the remote's name for this piece of news; repeats are dropped by it
	Ticket string // ticket id; may be empty when Key is set
	Key    Key    // may be empty when Ticket is set
	State  string // the ticket's state now, the remote's word; "" = not told
	Assign string // a ticket id the remote assigned to Key after the fact (acknowledgement)
	Text   string // a comment to bring back; may be empty
	Author string
	At     time.Time // by the remote's clock, for display
	Own    bool      // made by ourselves: recorded, never brought back
	// Unheard is set by storage when it receives the news: no link is known that
	// it is about, so nobody hears it. Adapters leave it alone.
	Unheard bool
}
