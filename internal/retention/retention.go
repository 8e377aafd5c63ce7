package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// Quiet is how long the newest alert of a source key must not have been
// repeated by its source before it may go.
const Quiet = 7 * 24 * time.Hour

// Audit is how long entries of the audit are kept: a year, and some time to look
// back at it.
const Audit = 400 * 24 * time.Hour

// Old is a closed alert that changed longer ago than the connector keeps it.
type Old struct {
	ID        alert.ID
	Latest    bool          // no later alert of its source and key is known
	Seen      int64         // how often it was observed
	ClosedFor time.Duration // by the database's clock
	Links     []alert.Link  // the connector's, both sides
	Recent    bool          // one of them changed more lately than the connector keeps it
	Others    bool          // other connectors have links to it
	// Unrepeated is for how long the alert has not been observed, as far as was
	// noted; negative = nothing was noted since the last time it was.
	Unrepeated time.Duration
}

// Place is where a walk through the alerts has come to; zero is the beginning.
type Place struct {
	AcceptedAt int64 // microseconds of the database's clock
	ID         alert.ID
}

// Store is what retention needs of the database. Methods that take a term
// change nothing and return forward.ErrDeposed when it is over.
type Store interface {
	// Backlogged reports whether more than limit links of the connector are due.
	Backlogged(ctx context.Context, connector string, limit int) (bool, error)
	// OldAlerts looks at up to limit alerts after a place, the oldest first, and
	// returns those that are Old and where it has come to; done is the end.
	OldAlerts(ctx context.Context, connector string, keep time.Duration, after Place, limit int) (old []Old, next Place, done bool, err error)
	// Awaited returns which alerts have a ticket that a fresh link of the connector
	// may yet go on with.
	Awaited(ctx context.Context, connector string) (map[alert.ID]bool, error)
	// NoteQuiet notes how often alerts were observed, on their timelines.
	NoteQuiet(ctx context.Context, t ha.Term, old []Old) error
	// Forget removes the connector's links to the alerts, and the alerts that no
	// connector has a link to. What changed since it was read stays. It returns how
	// many alerts, or links to alerts that stay, it removed.
	Forget(ctx context.Context, t ha.Term, keep time.Duration, old []Old) (int, error)
	// ForgetNews removes from up to limit news after an id those that were received
	// longer ago and whose ticket no link has; next is "" at the end.
	ForgetNews(ctx context.Context, t ha.Term, keep time.Duration, after string, limit int) (next string, n int, err error)
	// ForgetEvents removes changes of Active that are older, but the newest.
	ForgetEvents(ctx context.Context, t ha.Term, keep time.Duration) (int, error)
	// ForgetEntries looks at the limit oldest entries of the audit, removes those
	// that are older, and returns how many. The audit is the group's: the Active of
	// any connector may, and needs no term for it.
	ForgetEntries(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// Policy is what the connector's document says.
type Policy interface {
	// Keep is how long closed alerts are kept; 0 = for ever.
	Keep() time.Duration
	// UsesEarlier reports whether an alert that fires now would go on with the
	// ticket, in that state, of one that closed so long ago.
	UsesEarlier(remoteState string, ago time.Duration) bool
}

// Config is what a Keeper is made of.
type Config struct {
	Connector string
	Store     Store
	// Policy returns what applies now, nil when it is not known, and a channel that
	// is closed when that changes.
	Policy func() (Policy, <-chan struct{})
	Log    *slog.Logger
	Every  time.Duration // between two runs; 0 = 6 hours
	First  time.Duration // from the beginning of the term to the first; 0 = a minute
}

// Keeper removes what a connector need not keep any longer.
type Keeper struct{ cfg Config }

// New returns a Keeper. It starts nothing.
func New(c Config) *Keeper {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Every == 0 {
		c.Every = 6 * time.Hour
	}
	if c.First == 0 {
		c.First = time.Minute
	}
	return &Keeper{cfg: c}
}

// settleIn is how long after a change of the document a run begins: somebody
// who mends a slip has a moment for it.
const settleIn = time.Minute

// Run removes what is old during a term, again and again, until ctx ends or the
// term is found to be over.
func (k *Keeper) Run(ctx context.Context, t ha.Term) {
	timer := time.NewTimer(k.cfg.First)
	defer timer.Stop()
	for {
		_, changed := k.cfg.Policy()
		select {
		case <-ctx.Done():
			return
		case <-changed:
			timer.Reset(min(settleIn, k.cfg.First))
			continue
		case <-timer.C:
		}
		removed, err := k.Once(ctx, t)
		switch {
		case errors.Is(err, forward.ErrDeposed) || ctx.Err() != nil:
			return
		case errors.Is(err, errBacklog):
			timer.Reset(min(backlogPause, k.cfg.Every))
			continue
		case err != nil:
			k.cfg.Log.Warn("what is old was not all removed; it is tried again",
				"connector", k.cfg.Connector, "epoch", t.Epoch, "err", err)
		}
		if removed.any() {
			k.cfg.Log.Info("removed what the connector need not keep any longer", "connector", k.cfg.Connector,
				"epoch", t.Epoch, "alerts", removed.Alerts, "news", removed.News, "events", removed.Events, "entries", removed.Entries)
		}
		timer.Reset(k.cfg.Every)
	}
}

// Removed counts what a run removed.
type Removed struct {
	Alerts  int // and links to alerts that other connectors keep
	News    int
	Events  int
	Entries int // of the audit
}

func (r Removed) any() bool { return r != Removed{} }
