package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tieline/internal/fault"
)

// Draft is one revision of the draft of a connector's document. A connector has
// at most one draft, which everybody who edits shares.
type Draft struct {
	Connector string
	Revision  int64 // grows with each save, from one draft to the next too; never used twice
	Base      int64 // version of the document it was made from; 0 = the connector is new
	Text      string
	Author    string
	At        time.Time // by the database's clock
	Ended     string    // "" = it is being edited; otherwise DraftApplied or DraftDiscarded
}

// How a draft ends.
const (
	DraftApplied   = "applied"
	DraftDiscarded = "discarded"
)

// draftRevisions is how many revisions of a connector's drafts are kept, so that
// somebody who edited an older one can be shown what changed since.
const draftRevisions = 100

const draftColumns = "connector, revision, base, document, author, at, ended"

func scanDraft(row interface{ Scan(...any) error }) (Draft, error) {
	var d Draft
	var at int64
	err := row.Scan(&d.Connector, &d.Revision, &d.Base, &d.Text, &d.Author, &at, &d.Ended)
	d.At = moment(at)
	return d, err
}

// LatestDraft returns the newest revision of a connector's drafts: Ended tells
// whether the draft is still there. It returns fault.NotFound when there was
// never one.
func (db *DB) LatestDraft(ctx context.Context, connector string) (Draft, error) {
	d, err := db.latestDraft(ctx, db.engine.Read, connector)
	if errors.Is(err, sql.ErrNoRows) {
		err = noDraft(connector)
	}
	return d, db.explain(err, "read the draft of connector "+connector)
}

func (db *DB) latestDraft(ctx context.Context, q querier, connector string) (Draft, error) {
	return scanDraft(q.QueryRowContext(ctx, "SELECT "+draftColumns+` FROM draft
WHERE connector = $1 AND revision = (SELECT max(revision) FROM draft WHERE connector = $1)`, connector))
}

// DraftRevision returns one revision of a connector's drafts. It returns
// fault.NotFound when it is not kept.
func (db *DB) DraftRevision(ctx context.Context, connector string, revision int64) (Draft, error) {
	d, err := scanDraft(db.engine.Read.QueryRowContext(ctx,
		"SELECT "+draftColumns+" FROM draft WHERE connector = $1 AND revision = $2", connector, revision))
	if errors.Is(err, sql.ErrNoRows) {
		err = fault.New(fault.NotFound, fmt.Sprintf("revision %d of the draft of connector %s is not kept", revision, connector))
	}
	return d, db.explain(err, "read the draft of connector "+connector)
}

// Drafts lists the drafts that are being edited, by connector.
func (db *DB) Drafts(ctx context.Context) ([]Draft, error) {
	var drafts []Draft
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		d, err := scanDraft(rows)
		drafts = append(drafts, d)
		return err
	}, "SELECT "+draftColumns+` FROM draft
WHERE ended = '' AND revision = (SELECT max(n.revision) FROM draft n WHERE n.connector = draft.connector)
ORDER BY connector`)
	return drafts, db.explain(err, "list the drafts")
}

// SaveDraft stores the next revision of a connector's draft. d.Revision is the
// one that was edited; 0 begins a draft. It returns fault.Conflict when another
// revision is the newest by now, and when a draft is to begin where there is one.
func (db *DB) SaveDraft(ctx context.Context, d Draft) (Draft, error) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		next, err := db.nextDraft(ctx, tx, d.Connector, d.Revision)
		if err != nil {
			return err
		}
		saved := d
		saved.Revision, saved.Ended = next, ""
		if saved.At, err = addDraft(ctx, tx, saved); err == nil {
			d = saved
		}
		return err
	})
	if err != nil {
		return Draft{}, db.explain(err, "save the draft of connector "+d.Connector)
	}
	return d, nil
}

// DiscardDraft ends a draft whose newest revision is still the given one; the
// text stays until later revisions push it out. It returns fault.Conflict
// otherwise.
func (db *DB) DiscardDraft(ctx context.Context, connector string, revision int64, who string) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		return db.endDraft(ctx, tx, connector, revision, who, DraftDiscarded)
	})
	return db.explain(err, "discard the draft of connector "+connector)
}

// endDraft makes the last revision of a draft, with the text as it was.
func (db *DB) endDraft(ctx context.Context, tx *sql.Tx, connector string, revision int64, who, how string) error {
	next, err := db.nextDraft(ctx, tx, connector, revision)
	if err != nil {
		return err
	}
	d, err := db.latestDraft(ctx, tx, connector)
	if err != nil {
		return err
	}
	d.Revision, d.Author, d.Ended = next, who, how
	_, err = addDraft(ctx, tx, d)
	return err
}

// nextDraft returns the number of the revision after the one that was edited,
// or a conflict. Two who save at once both get it; the primary key lets one of
// them have it, and the other comes here again.
func (db *DB) nextDraft(ctx context.Context, tx *sql.Tx, connector string, edited int64) (int64, error) {
	newest, err := db.latestDraft(ctx, tx, connector)
	switch {
	case errors.Is(err, sql.ErrNoRows) && edited == 0:
		return 1, nil
	case errors.Is(err, sql.ErrNoRows):
		return 0, noDraft(connector)
	case err != nil:
		return 0, err
	case newest.Ended == "" && newest.Revision == edited, newest.Ended != "" && edited == 0:
		return newest.Revision + 1, nil
	case newest.Ended != "":
		return 0, fault.New(fault.Conflict, fmt.Sprintf("the draft of connector %s was %s by %s", connector, newest.Ended, newest.Author)).
			WithNext("look at the current document and make the change again")
	case edited == 0:
		return 0, fault.New(fault.Conflict, fmt.Sprintf("connector %s has a draft already, by %s", connector, newest.Author)).
			WithNext("edit that one, or discard it")
	}
	return 0, fault.New(fault.Conflict, fmt.Sprintf("the draft of connector %s was changed by %s: it is revision %d by now, not %d",
		connector, newest.Author, newest.Revision, edited)).WithNext("look at both changes and keep, take over or merge")
}

func addDraft(ctx context.Context, tx *sql.Tx, d Draft) (time.Time, error) {
	var now int64
	if err := tx.QueryRowContext(ctx, "SELECT now FROM clock").Scan(&now); err != nil {
		return time.Time{}, err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO draft ("+draftColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		d.Connector, d.Revision, d.Base, d.Text, d.Author, now, d.Ended)
	if err != nil {
		return time.Time{}, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM draft WHERE connector = $1 AND revision <= $2", d.Connector, d.Revision-draftRevisions)
	return moment(now), err
}

func noDraft(connector string) error {
	return fault.New(fault.NotFound, "connector "+connector+" has no draft").WithNext("an edit of any of its values makes one")
}
