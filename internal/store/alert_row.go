package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

// alertColumns are what scanAlert reads, of a table or alias "alert".
const alertColumns = `alert.id, alert.source, alert.source_key, alert.status, alert.revision, alert.seen,
	alert.starts_at, alert.ends_at, alert.body, alert.accepted_at, alert.changed_at, alert.accepted_by,
	alert.previous, alert.generation`

// alertRow holds what the driver scans of one alert.
type alertRow struct {
	a                                     alert.Alert
	startsAt, endsAt, accepted, changedAt int64
	body                                  []byte
	previous                              uuid.NullUUID
}

func (r *alertRow) into() []any {
	return []any{
		&r.a.ID, &r.a.Source, &r.a.Key, &r.a.Status, &r.a.Revision, &r.a.Seen,
		&r.startsAt, &r.endsAt, &r.body, &r.accepted, &r.changedAt, &r.a.AcceptedBy,
		&r.previous, &r.a.Generation,
	}
}

func (r *alertRow) alert() (alert.Alert, error) {
	a := r.a
	a.StartsAt, a.EndsAt = moment(r.startsAt), moment(r.endsAt)
	a.AcceptedAt, a.ChangedAt = moment(r.accepted), moment(r.changedAt)
	a.Previous = r.previous.UUID
	var b storedBody
	if err := json.Unmarshal(r.body, &b); err != nil {
		return alert.Alert{}, fmt.Errorf("read the content of alert %s: %w", a.ID, err)
	}
	a.Content, a.Edits = b.Content, b.Edits
	return a, nil
}

// scanAlert reads alertColumns, then whatever more is given.
func scanAlert(rows *sql.Rows, more ...any) (alert.Alert, error) {
	var r alertRow
	if err := rows.Scan(append(r.into(), more...)...); err != nil {
		return alert.Alert{}, err
	}
	return r.alert()
}

// moment turns a column's microseconds into a time; 0 is the zero time.
func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// micros is the inverse of moment.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// storedBody is what the column body has: an alert's content, which a search by
// severity knows to begin with it, and what people edited of it.
type storedBody struct {
	alert.Content
	Edits alert.Edits `json:"edits,omitempty"`
}

// body is an alert's content as its column has it.
func body(a alert.Alert) (string, error) {
	b, err := json.Marshal(storedBody{a.Content, a.Edits})
	if err != nil {
		return "", fmt.Errorf("write the content of an alert: %w", err)
	}
	return string(b), nil
}

// nullID is the column's value for an id that may be absent.
func nullID(id uuid.UUID) any {
	if id == uuid.Nil {
		return nil
	}
	return id
}
