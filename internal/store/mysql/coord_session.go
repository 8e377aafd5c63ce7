package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// doubtStep is how many links one statement puts in doubt.
const doubtStep = 2000

// session is one coordination connection. What it has to do is one request of
// several statements, transaction included: the server never waits for this
// process while it holds a lock for it.
type session struct {
	owner        *Coordinator
	line         *line
	server, boot string
	presence     string // "" = none
}

func (s *session) Presence() string { return s.presence }

func (s *session) Close() error { return s.line.Close() }

// ask sends a request and scans the one row it answers. It returns sql.ErrNoRows
// when there is none, and an error of whichever statement failed; then nothing
// was done, unless the connection broke.
func (s *session) ask(ctx context.Context, text string, args []any, into ...any) error {
	err := s.row(ctx, text, args, into)
	for try := 1; isCode(err, codeDeadlock) && try < deadlocks; try++ { // all of it was undone
		err = s.row(ctx, text, args, into)
	}
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	// A statement that failed leaves the transaction open, and the next one's START
	// TRANSACTION would commit it. The deadline is not the caller's: that may end
	// between the server's answer and here, when the driver no longer ends the
	// connection for it. Where it did, the ROLLBACK fails at once.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, rolled := s.line.ExecContext(end, "ROLLBACK"); rolled != nil {
		err = errors.Join(err, rolled, s.line.Close()) // no session may go on in it
	}
	return err
}

func (s *session) row(ctx context.Context, text string, args, into []any) (err error) {
	rows, err := s.line.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := false
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			found = true
			if err := rows.Scan(into...); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil || found {
		return err
	}
	return sql.ErrNoRows
}

func (s *session) Beat(ctx context.Context, b ha.Beat) (ha.Group, error) {
	in := coord.NewInput(b)
	renew, err := json.Marshal(in.Renew)
	if err != nil {
		return ha.Group{}, err
	}
	reports, err := json.Marshal(in.Reports)
	if err != nil {
		return ha.Group{}, err
	}
	// A host that is lost ends its presence after its promised length.
	silent := max(b.Promised+5*time.Second, time.Minute)
	r, err := s.reading(ctx, beatQuery, in.Server, in.Boot, in.Number, in.Presence, in.Version, in.Promised,
		lockName(s.presence), s.line.id, json.RawMessage(renew), json.RawMessage(reports), int64(silent.Seconds()))
	switch {
	case err != nil:
		return ha.Group{}, fmt.Errorf("heartbeat: %w", err)
	case !r.Beaten && r.Boot != b.Boot:
		return ha.Group{}, ha.ErrReplaced
	case !r.Beaten:
		return ha.Group{}, ha.ErrBeat
	case b.Presence != "" && !r.Held:
		s.presence = ""
		return ha.Group{}, coord.ErrNoPresence
	}
	if !s.owner.flavour.maria {
		if err := s.owner.endFrozen(ctx, frozenAfter); err != nil {
			s.owner.log.Warn("frozen transactions are not ended", slog.Any("err", err)) // the heartbeat was written
		}
	}
	return r.Group, nil
}

func (s *session) Read(ctx context.Context) (ha.Group, error) {
	r, err := s.reading(ctx, GroupQuery)
	if err != nil {
		return ha.Group{}, fmt.Errorf("read the group: %w", err)
	}
	return r.Group, nil
}

func (s *session) reading(ctx context.Context, query string, args ...any) (coord.Reading, error) {
	var text []byte
	if err := s.ask(ctx, query, args, &text); err != nil {
		return coord.Reading{}, err
	}
	return coord.Decode(text)
}

func (s *session) Take(ctx context.Context, t ha.Take) (ha.Lease, error) {
	l := ha.Lease{Connector: t.Connector, Server: t.Server, Boot: t.Boot, Promised: t.Promised, Identity: t.Identity}
	var err error
	l.Epoch, l.Wish, err = s.swap(ctx, "take the lease over", takeQuery, t.Connector, t.Epoch, t.Beat, t.Server, t.Boot,
		coord.Micros(t.Promised), t.Identity, string(t.Reason), coord.Micros(t.Ended))
	if err != nil {
		return ha.Lease{}, err
	}
	return l, nil
}

func (s *session) Release(ctx context.Context, r ha.Release) error {
	_, _, err := s.swap(ctx, "release the lease", releaseQuery, r.Connector, r.Epoch, r.Boot, r.Successor, string(r.Reason))
	return err
}

// Doubt puts the links in doubt in steps of a transaction each, so that a call
// that ends early has achieved something and the next goes on, then the rest
// together with the lease. Links in doubt too early are harmless: the lease
// still names the old history, so that nobody can claim any.
func (s *session) Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error {
	from := uuid.Nil.String()
	for done := doubtStep; done == doubtStep; {
		var last sql.NullString
		err := s.ask(ctx, doubtStepQuery, []any{connector, epoch, newIdentity, int64(ha.EpochJump), doubtStep, from}, &done, &last)
		if err != nil {
			return fmt.Errorf("doubt: %w", err)
		}
		from = last.String
	}
	_, _, err := s.swap(ctx, "doubt", doubtQuery, connector, epoch, newIdentity, int64(ha.EpochJump), string(ha.ReasonIdentity))
	return err
}

// swap runs a compare-and-swap on a lease and returns the epoch and the wish it left.
func (s *session) swap(ctx context.Context, what, query string, args ...any) (epoch int64, wish string, err error) {
	var done int64
	if err := s.ask(ctx, query, args, &done, &epoch, &wish); err != nil {
		return 0, "", fmt.Errorf("%s: %w", what, err)
	}
	if done == 0 {
		return 0, "", ha.ErrLost
	}
	return epoch, wish, nil
}
