package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/intake"
	"tieline/internal/store/engine"
)

// silence is how long Accept waits for any one answer of the database: whoever
// pushes alerts hears within 2 s that it is away, and keeps them. A database that
// is slow, but answers, may take longer.
const silence = 1700 * time.Millisecond

// errSilent is why Accept gave up.
var errSilent = errors.New("no answer for " + silence.String())

// Accept implements intake.Store.
func (db *DB) Accept(ctx context.Context, b intake.Batch) ([]intake.Accepted, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	watch := time.AfterFunc(silence, func() { giveUp(errSilent) })
	defer watch.Stop()
	answered := func() { watch.Reset(silence) }
	out := make([]intake.Accepted, len(b.Items))
	order := make([]int, 0, len(b.Items))
	for i, item := range b.Items {
		if err := storable(item.Observation); err != nil {
			out[i].Err = err
			continue
		}
		order = append(order, i)
	}
	// Stable, so that several observations of one problem keep their order.
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := b.Items[i], b.Items[j]
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Key, b.Key))
	})
	err := db.bisect(ctx, b, order, out, answered)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(context.Cause(ctx), errSilent):
		return nil, db.away(errors.Join(errSilent, err), "store alerts")
	case fault.KindOf(err) == fault.Refused: // the group was moved: whoever sends alerts keeps them, and finds its servers again
		return nil, fault.Wrap(fault.Unavailable, err, fault.Message(err))
	}
	return nil, db.explain(err, "store alerts")
}

// storable refuses names that not every engine can keep. Content is stored as
// JSON, which escapes what text columns refuse.
func storable(o alert.Observation) error {
	for _, f := range []struct{ name, value string }{{"source", o.Source}, {"key", o.Key}} {
		if !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0) {
			return fault.New(fault.Invalid, "the alert's "+f.name+" contains bytes that are no text")
		}
	}
	return nil
}

// bisect accepts the items in one transaction. Where the engine refuses a value
// it halves them until the bad one stands alone, which alone is refused.
func (db *DB) bisect(ctx context.Context, b intake.Batch, items []int, out []intake.Accepted, answered func()) error {
	if len(items) == 0 {
		return nil
	}
	err := db.transact(ctx, func(tx *sql.Tx) error { return db.accept(ctx, tx, b, items, out, answered) })
	answered()
	if err == nil || db.engine.Classify(err) != engine.BadRow {
		return err
	}
	if len(items) == 1 {
		out[items[0]] = intake.Accepted{Err: fault.Wrap(fault.Invalid, err, "the database refuses the alert")}
		return nil
	}
	half := len(items) / 2
	return errors.Join(db.bisect(ctx, b, items[:half], out, answered), db.bisect(ctx, b, items[half:], out, answered))
}

func (db *DB) accept(ctx context.Context, tx *sql.Tx, b intake.Batch, items []int, out []intake.Accepted, answered func()) error {
	answered()
	latest, err := db.lockLatest(ctx, tx, b, items, answered)
	if err != nil {
		return err
	}
	p := &plan{batch: b, current: latest, answered: answered}
	for _, i := range items {
		out[i] = p.observe(b.Items[i])
	}
	return db.carryOut(ctx, tx, p)
}

// problem is what names an alert at its source.
type problem struct{ source, key string }

var latestInput = []engine.Column{{Name: "source", Type: engine.Text}, {Name: "source_key", Type: engine.Text}}

// latestText locks the latest alerts in the order of (source, key), so that
// concurrent batches never wait for each other in a circle.
const latestText = `
SELECT ` + alertColumns

const latestFrom = `
FROM input JOIN alert ON alert.source = input.source AND alert.latest_key = input.source_key
ORDER BY alert.source, alert.latest_key`

func (db *DB) lockLatest(ctx context.Context, tx *sql.Tx, b intake.Batch, items []int, answered func()) (map[problem]*touched, error) {
	latest := make(map[problem]*touched, len(items))
	var keys [][]any
	for _, i := range items {
		p := problem{b.Items[i].Source, b.Items[i].Key}
		if _, known := latest[p]; !known {
			latest[p] = nil
			keys = append(keys, []any{p.source, p.key})
		}
	}
	scan := func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		if err == nil {
			latest[problem{a.Source, a.Key}] = &touched{alert: a, stored: true}
		}
		return err
	}
	for some := range slices.Chunk(keys, statementRows) {
		if err := db.batchEach(ctx, tx, db.statements.latest, some, scan); err != nil {
			return nil, err
		}
		answered()
	}
	return latest, nil
}
