package sqlserver

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	mssql "github.com/microsoft/go-mssqldb"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
	"tieline/internal/store/engine"
)

// doubtStep is how many links one statement puts in doubt: few enough that their
// locks never become one of the whole table (at 5,000).
const doubtStep = 1000

// session is one coordination connection.
type session struct {
	owner        *Coordinator
	line         *line
	server, boot string
	presence     string // "" = none
}

// takePresence locks a fresh name, and proves that it keeps another session out.
func (s *session) takePresence(ctx context.Context) error {
	if s.owner.lone.Load() {
		return nil
	}
	name := coord.NewPresence()
	var result int64
	if err := s.line.row(ctx, takeLock, []any{resource(name)}, []any{&result}); refused(err) {
		s.giveUpPresence("the database takes no application locks", err)
		return nil
	} else if err != nil {
		return fmt.Errorf("take a presence: %w", err)
	}
	if result < 0 {
		s.giveUpPresence("the lock was refused", lockRefused(result))
		return nil
	}
	other, err := s.owner.line(ctx, "presence check")
	if err != nil {
		return err
	}
	defer other.close()
	held, err := isHeld(ctx, other, name)
	switch {
	case refused(err):
		s.giveUpPresence("the lock cannot be looked for", err)
		return nil
	case err != nil:
		return fmt.Errorf("prove the presence: %w", err)
	case !held:
		s.giveUpPresence("another session could have the lock beside this one", nil)
		return nil
	}
	s.presence = name
	return nil
}

// refused reports whether the server is there and will not do what it was told:
// it does not know it, or the login may not.
func refused(err error) bool { return number(err) != 0 && classify(err) == engine.Other }

// giveUpPresence notes, for all sessions to come, that presences do not work here.
func (s *session) giveUpPresence(why string, err error) {
	s.presence = ""
	if !s.owner.lone.Swap(true) {
		s.owner.log.Warn("the database keeps no lock for a session: no presence; "+
			"a crashed Active is noticed only when its heartbeats stay out",
			slog.String("server", s.server), slog.String("reason", why), slog.Any("err", err))
	}
}

func (s *session) Presence() string { return s.presence }

func (s *session) Beat(ctx context.Context, b ha.Beat) (ha.Group, error) {
	in := coord.NewInput(b)
	renew, reports, err := lists(in)
	if err != nil {
		return ha.Group{}, wrap("heartbeat", err)
	}
	beat := func(renew, reports mssql.NVarCharMax) (coord.Reading, error) {
		args := []any{in.Server, in.Boot, in.Number, in.Presence, in.Version, in.Promised, renew, reports}
		if in.Presence == "" {
			return s.reading(ctx, s.owner.texts.alone, args...)
		}
		return s.reading(ctx, s.owner.texts.beat, append(args, resource(in.Presence))...)
	}
	r, err := beat(renew, reports)
	if err != nil && classify(err) == engine.Busy {
		// Somebody holds a row that is neither skipped nor caught here. The server's own
		// is written by now; writing it again is what a lost answer asks for.
		r, err = beat("[]", "[]")
	}
	if err != nil {
		return ha.Group{}, wrap("heartbeat", err)
	}
	switch {
	case !r.Beaten && r.Boot != b.Boot:
		return ha.Group{}, ha.ErrReplaced
	case !r.Beaten:
		return ha.Group{}, ha.ErrBeat
	case b.Presence != "" && !r.Held:
		s.giveUpPresence("the session lost its lock", nil)
		return ha.Group{}, coord.ErrNoPresence
	}
	return r.Group, nil
}

// lists are the parts of a heartbeat of which there may be any number.
func lists(in coord.Input) (renew, reports mssql.NVarCharMax, err error) {
	a, err := json.Marshal(in.Renew)
	if err != nil {
		return "", "", err
	}
	b, err := json.Marshal(in.Reports)
	return mssql.NVarCharMax(a), mssql.NVarCharMax(b), err
}

func (s *session) Read(ctx context.Context) (ha.Group, error) {
	r, err := s.reading(ctx, s.owner.texts.read)
	return r.Group, wrap("read the group", err)
}

func (s *session) reading(ctx context.Context, text string, args ...any) (coord.Reading, error) {
	var beaten, held int64
	var boot, group string
	if err := s.line.row(ctx, text, args, []any{&beaten, &held, &boot, &group}); err != nil {
		return coord.Reading{}, err
	}
	r, err := coord.Decode([]byte(group))
	r.Beaten, r.Held, r.Boot = beaten > 0, held > 0, boot
	return r, err
}

func (s *session) Take(ctx context.Context, t ha.Take) (ha.Lease, error) {
	epoch, wish, err := s.swap(ctx, takeText, t.Connector, t.Epoch, t.Beat, t.Server, t.Boot, coord.Micros(t.Promised),
		t.Identity, string(t.Reason), coord.Micros(t.Ended))
	if err != nil {
		return ha.Lease{}, wrapSwap("take the lease over", err)
	}
	return ha.Lease{
		Connector: t.Connector, Epoch: epoch, Server: t.Server, Boot: t.Boot, Promised: t.Promised, Wish: wish,
		Identity: t.Identity,
	}, nil
}

func (s *session) Release(ctx context.Context, r ha.Release) error {
	_, _, err := s.swap(ctx, releaseText, r.Connector, r.Epoch, r.Boot, r.Successor, string(r.Reason))
	return wrapSwap("release the lease", err)
}

// Doubt puts the links in doubt in steps of a statement each, so that a call that
// ends early has achieved something and the next goes on, then the rest together
// with the lease. Links in doubt too early are harmless: the lease still names
// the old history, so that nobody can claim any.
func (s *session) Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error {
	from := uuid.Nil
	for done := int64(doubtStep); done == doubtStep; {
		err := s.line.row(ctx, doubtStepText,
			[]any{connector, epoch, newIdentity, int64(ha.EpochJump), int64(doubtStep), from}, []any{&done, &from})
		if err != nil {
			return wrap("doubt", err)
		}
	}
	_, _, err := s.swap(ctx, doubtText, connector, epoch, newIdentity, int64(ha.EpochJump), string(ha.ReasonIdentity))
	return wrapSwap("doubt", err)
}

// swap runs a compare-and-swap on a lease and returns the epoch and the wish it left.
func (s *session) swap(ctx context.Context, text string, args ...any) (epoch int64, wish string, err error) {
	err = s.line.row(ctx, text, args, []any{&epoch, &wish})
	if errors.Is(err, sql.ErrNoRows) {
		err = ha.ErrLost
	}
	return epoch, wish, err
}

// wrapSwap leaves ErrLost bare: it is an answer, not a failure.
func wrapSwap(what string, err error) error {
	if errors.Is(err, ha.ErrLost) {
		return ha.ErrLost
	}
	return wrap(what, err)
}

// Close ends the connection, and with it the presence.
func (s *session) Close() error {
	s.line.close()
	return nil
}
