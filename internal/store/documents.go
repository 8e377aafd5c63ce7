package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
)

// StoredDocument is one version of a connector's document.
type StoredDocument struct {
	Connector string
	Version   int64
	Text      string
	Who       string
	Comment   string
	At        time.Time // by the database's clock
}

// SaveDocument is a validated document to be applied.
type SaveDocument struct {
	Connector, Text, Who, Comment string
	Base                          int64       // version it was edited from; 0 = any, NoBase = the connector is new
	Draft                         int64       // revision of the connector's draft that ends with it; 0 = none
	Settings                      ha.Settings // what availability needs of it
}

// NoBase is the SaveDocument.Base of a connector that must not be there yet.
const NoBase = -1

// SaveDocument makes a document the connector's current one, raises the group's
// generation, and makes the connector with its lease row when it is new. It
// returns fault.Conflict when Base is not the current version, and when Draft is
// not the newest revision of a draft that is being edited.
func (db *DB) SaveDocument(ctx context.Context, s SaveDocument) (StoredDocument, error) {
	saved := StoredDocument{Connector: s.Connector, Text: s.Text, Who: s.Who, Comment: s.Comment}
	err := db.transact(ctx, func(tx *sql.Tx) error {
		// Raising the generation first makes everybody who saves take turns.
		_, err := tx.ExecContext(ctx, "UPDATE management_group SET generation = generation + 1")
		if err == nil {
			err = db.inService(ctx, tx)
		}
		if err != nil {
			return err
		}
		var current, now int64
		err = tx.QueryRowContext(ctx, "SELECT coalesce((SELECT version FROM connector WHERE name = $1), 0), (SELECT now FROM clock)",
			s.Connector).Scan(&current, &now)
		if err != nil {
			return err
		}
		if s.Base == NoBase && current != 0 {
			return fault.New(fault.Conflict, fmt.Sprintf("there is a connector %s by now", s.Connector)).
				WithNext("choose another name, or change that connector")
		}
		if s.Base > 0 && s.Base != current {
			return fault.New(fault.Conflict, fmt.Sprintf("the document of connector %s is version %d by now, not version %d",
				s.Connector, current, s.Base)).WithNext("look at the current version, make the change again and apply it")
		}
		if s.Draft != 0 {
			if err := db.endDraft(ctx, tx, s.Connector, s.Draft, s.Who, DraftApplied); err != nil {
				return err
			}
		}
		saved.Version, saved.At = current+1, moment(now)
		return db.writeDocument(ctx, tx, s, current+1, now)
	})
	if err != nil {
		return StoredDocument{}, db.explain(err, "save the document of connector "+s.Connector)
	}
	return saved, nil
}

const (
	saveConnectorText = `
INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, polling = excluded.polling, tolerance = excluded.tolerance,
	failback = excluded.failback, settle = excluded.settle, changed_at = excluded.changed_at,
	send_window = CASE WHEN connector.send_window > excluded.send_window THEN connector.send_window ELSE excluded.send_window END`

	saveLeaseText = `
INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, identity, since)
SELECT $1, 0, 0, '', '', 0, '', '', identity, $2 FROM history WHERE true ON CONFLICT (connector) DO NOTHING`
)

// writeDocument stores the document and what availability needs of it. The send
// window never shrinks there: a server that still runs an older document may be
// sending within the longer one, and its successor waits for what stands here
// (rule C4). A shorter window takes effect in what is sent.
func (db *DB) writeDocument(ctx context.Context, tx *sql.Tx, s SaveDocument, version, now int64) error {
	for _, step := range []struct {
		text string
		args []any
	}{
		{db.statements.saveConnector,
			[]any{s.Connector, version, s.Settings.Polling.Microseconds(), s.Settings.Tolerance, string(s.Settings.Failback),
				s.Settings.Window.Microseconds(), s.Settings.Settle.Microseconds(), now}},
		{`INSERT INTO connector_version (connector, version, document, who, comment, at) VALUES ($1, $2, $3, $4, $5, $6)`,
			[]any{s.Connector, version, s.Text, s.Who, s.Comment, now}},
		{db.statements.saveLease,
			[]any{s.Connector, now}},
	} {
		if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
			return err
		}
	}
	return nil
}

const documentColumns = "v.connector, v.version, v.document, v.who, v.comment, v.at"

func scanDocument(rows interface{ Scan(...any) error }) (StoredDocument, error) {
	var d StoredDocument
	var at int64
	err := rows.Scan(&d.Connector, &d.Version, &d.Text, &d.Who, &d.Comment, &at)
	d.At = moment(at)
	return d, err
}

const documentsText = "SELECT g.generation, " + documentColumns + `
FROM management_group g
LEFT JOIN (connector c JOIN connector_version v ON v.connector = c.name AND v.version = c.version) ON true
ORDER BY v.connector`

// Documents returns the current document of every connector, by name, and the
// generation they make up together.
func (db *DB) Documents(ctx context.Context) (docs []StoredDocument, generation int64, err error) {
	// One statement: documents and generation of different moments would let an
	// alert be stored with a generation it was not evaluated with.
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var connector, text, who, comment sql.NullString
		var version, at sql.NullInt64
		if err := rows.Scan(&generation, &connector, &version, &text, &who, &comment, &at); err != nil {
			return err
		}
		if connector.Valid {
			docs = append(docs, StoredDocument{connector.String, version.Int64, text.String, who.String, comment.String, moment(at.Int64)})
		}
		return nil
	}, db.statements.documents)
	return docs, generation, db.explain(err, "read the connector documents")
}

// DocumentsOf returns the current documents of some connectors, by name; of one
// that there is not, none.
func (db *DB) DocumentsOf(ctx context.Context, connectors []string) ([]StoredDocument, error) {
	if len(connectors) == 0 {
		return nil, nil
	}
	c := &conditions{}
	var docs []StoredDocument
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		d, err := scanDocument(rows)
		docs = append(docs, d)
		return err
	}, "SELECT "+documentColumns+` FROM connector c JOIN connector_version v ON v.connector = c.name AND v.version = c.version
WHERE c.name IN (`+strings.Join(c.list(connectors), ", ")+") ORDER BY v.connector", c.args...)
	return docs, db.explain(err, "read connectors' documents")
}

// DocumentHistory returns every version of a connector's document, newest first.
func (db *DB) DocumentHistory(ctx context.Context, connector string) ([]StoredDocument, error) {
	var docs []StoredDocument
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		d, err := scanDocument(rows)
		docs = append(docs, d)
		return err
	}, "SELECT "+documentColumns+" FROM connector_version v WHERE v.connector = $1 ORDER BY v.version DESC", connector)
	if err == nil && len(docs) == 0 {
		err = noConnector(connector)
	}
	return docs, db.explain(err, "read the history of connector "+connector)
}

// Document returns one version of a connector's document; version 0 is the
// current one. It returns fault.NotFound when there is none.
func (db *DB) Document(ctx context.Context, connector string, version int64) (StoredDocument, error) {
	d, err := scanDocument(db.engine.Read.QueryRowContext(ctx, "SELECT "+documentColumns+` FROM connector_version v
WHERE v.connector = $1 AND v.version = CASE WHEN $2 > 0 THEN $2 ELSE (SELECT version FROM connector WHERE name = $1) END`,
		connector, version))
	if errors.Is(err, sql.ErrNoRows) {
		if version > 0 {
			err = fault.New(fault.NotFound, fmt.Sprintf("connector %s has no document version %d", connector, version)).
				WithNext("tieline connector history " + connector + " lists the versions")
		} else {
			err = noConnector(connector)
		}
	}
	return d, db.explain(err, "read the document of connector "+connector)
}

func noConnector(name string) error {
	return fault.New(fault.NotFound, "there is no connector "+name).WithNext("tieline connector list shows those there are")
}
