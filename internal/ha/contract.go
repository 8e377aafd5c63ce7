package ha

import (
	"context"
	"errors"
	"time"
)

// Failback says what happens when a server ranked above the Active is back.
type Failback string

// The two choices of the High availability tab.
const (
	Manual    Failback = "manual"    // the Active stays until a person moves it
	Automatic Failback = "automatic" // it hands over once the other was steady and reaches the remote
)

// Settings are one connector's high-availability settings.
type Settings struct {
	Polling   time.Duration // between heartbeats; default 30 s, at least 1 s
	Tolerance int           // heartbeats that may be missed; default 3, at least 2
	Failback  Failback
	Window    time.Duration // send window of the connector's claims (rule C3)
	Settle    time.Duration // settle time of the remote (rule C6)
	Version   int64         // of the document they come from
}

// Length is the promised length that follows: polling interval x tolerance.
func (s Settings) Length() time.Duration { return s.Polling * time.Duration(s.Tolerance) }

// Server is one server's row.
type Server struct {
	Name        string // unique in the management group
	Address     string // where peers and sources reach it; may be empty
	Boot        string // random, new at each start of the process
	Presence    string // name of its session lock; "" = it has none
	Beat        int64  // grows at each heartbeat
	Version     string // of the program
	HeartbeatAt time.Time
	Silence     time.Duration // now minus HeartbeatAt, both by the database's clock; display only
	Promised    time.Duration // how long it may be silent, as it last promised
}

// Member is a server's place in a connector's communication order.
type Member struct {
	Connector string
	Server    string
	Position  int    // 1 is first
	Runs      int64  // document version it runs; 0 = none yet
	Eligible  bool   // it can run the current document
	Reaches   bool   // its last probe of the remote connected
	Reason    string // why not eligible or not reaching; safe for people
}

// Lease is one connector's lease row. The row is never removed: an epoch is
// never used twice.
type Lease struct {
	Connector string
	Epoch     int64  // grows at each change of Active
	Beat      int64  // grows at each renewal
	Server    string // "" = released
	Boot      string
	Promised  time.Duration // as its owner last promised
	Successor string        // named by the last release; "" = the order decides
	Wish      string        // an operator's "Make Active": the server that should be; "" = none
	Identity  string        // what names the database's history when the epoch began (rule L8)
	Waiting   bool          // work of the connector is due, as read by the database's clock; a hint, never written
}

// Group is one consistent reading of the management group.
type Group struct {
	Identity string // the database's now
	Servers  []Server
	Members  []Member
	Leases   []Lease
	Settings map[string]Settings // by connector
}

// Beat is what a heartbeat writes.
type Beat struct {
	Server   string
	Boot     string
	Number   int64 // the new number; the row must hold Number-1, or Number when an answer was lost
	Presence string
	Version  string
	Promised time.Duration
	Renew    []Renewal
	Reports  []Report
}

// Renewal renews one lease this server holds.
type Renewal struct {
	Connector string
	Epoch     int64
	Promised  time.Duration
}

// Report is what a server tells of one of its connectors.
type Report struct {
	Connector string
	Runs      int64
	Eligible  bool
	Reaches   bool
	Reason    string
}

// Take is a compare-and-swap on a lease: it succeeds only while the row shows
// Epoch and Beat, and makes the new epoch Epoch+1 with beat 0.
type Take struct {
	Connector string
	Epoch     int64
	Beat      int64
	Server    string
	Boot      string
	Promised  time.Duration
	Identity  string // of the database as read in this session; stored with the new epoch
	Reason    Reason
	// Ended is how long ago the former holder's process was seen to end, by this
	// server's clock; 0 = nobody here saw it. For the history alone.
	Ended time.Duration
}

// Release ends a term of ours and names who should be next.
type Release struct {
	Connector string
	Epoch     int64
	Boot      string
	Successor string // "" = the order decides
	Reason    Reason
}

// Reason says why the Active changed, in the history and the metrics.
type Reason string

// The reasons, a fixed vocabulary.
const (
	ReasonFirst      Reason = "first start"        // nobody ever held the lease
	ReasonReleased   Reason = "released"           // the Active stopped or handed over, as planned
	ReasonPresence   Reason = "presence lost"      // its process died
	ReasonSilence    Reason = "silence"            // not heard for its promised length
	ReasonRestart    Reason = "own restart"        // the holder's own earlier process
	ReasonStop       Reason = "stop"               // released: the server is stopping
	ReasonWish       Reason = "operator"           // released: Make Active, or the server was removed
	ReasonFailback   Reason = "failback"           // released: a higher-ranked server is steady again
	ReasonRemote     Reason = "remote unreachable" // released: a Passive can connect to the remote, the Active cannot
	ReasonTakeBack   Reason = "taken back"         // nobody followed a release
	ReasonIneligible Reason = "not eligible"       // released: the Active cannot run the current document
	ReasonFailed     Reason = "work failed"        // released: the work ended with an error, or does not return
	ReasonIdentity   Reason = "database changed"   // the database's history changed (rule L8)
)

// Errors of a Session. All others mean that the outcome is unknown: the caller
// reads again and never guesses.
var (
	// ErrLost: the compare-and-swap found another epoch or beat; nothing changed.
	ErrLost = errors.New("the lease has moved on")
	// ErrReplaced: the server's row is gone or shows another boot id. The process must stop.
	ErrReplaced = errors.New("this server's row was removed or belongs to another process")
	// ErrBeat: the server's row is its own but holds neither Number-1 nor Number,
	// as after a restore of the database; nothing changed. The caller reads the
	// row and counts on from there.
	ErrBeat = errors.New("this server's row holds another beat number")
)

// Coordinator opens coordination sessions. The store's dialects implement it.
type Coordinator interface {
	// Open makes a connection of its own for a server and takes a presence under
	// a fresh name on it, where the engine has one.
	Open(ctx context.Context, server, boot string) (Session, error)
	// Await waits until nobody holds the presence name and returns nil, without
	// keeping it. It uses a connection of its own, waits in bounded pieces, and
	// returns an error when ctx ends or the connection fails. held is called
	// once, when the name was seen held by somebody else (rule L4).
	Await(ctx context.Context, name string, held func()) error
}

// Session is a coordination connection. It is used by one goroutine, never
// waits for a lock, and is closed and replaced after an error.
type Session interface {
	// Presence is the name of the lock this session holds; "" = none.
	Presence() string
	// Beat writes a heartbeat and reads the group, in one round trip. It returns
	// ErrReplaced and ErrBeat as described there. The presence is checked too: an
	// error says when this session no longer holds it. What it does to the rows
	// is Server.Beaten, Member.Reported and, for each renewal, Lease.Renewed; a
	// lease row that somebody else has locked is skipped, not waited for.
	Beat(ctx context.Context, b Beat) (Group, error)
	// Read reads the group as the database has it now, never from a stale snapshot.
	Read(ctx context.Context) (Group, error)
	// Take takes a lease over, or returns ErrLost: Lease.Taken.
	Take(ctx context.Context, t Take) (Lease, error)
	// Release ends a term, or returns ErrLost: Lease.Released.
	Release(ctx context.Context, r Release) error
	// Doubt moves a connector to a new history of the database (rule L8): in one
	// statement or transaction, and only while the lease still shows the old
	// identity and this epoch, it adds 2^20 to the epoch, clears the holder,
	// stores the new identity and puts every link in doubt (alert.Link.Doubt,
	// held under the new epoch). ErrLost when another server did it first:
	// Lease.Doubted.
	Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error
	Close() error
}
