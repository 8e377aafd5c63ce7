package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// AlertQuery says which alerts a person wants to see; zero fields ask nothing.
type AlertQuery struct {
	Connector string
	Status    alert.Status
	Stage     alert.Stage // of one of its links
	Text      string      // in the key or a value of the content, in any case; or part of a ticket's id or the alert's
	Source    string
	Severity  string        // the source's own word
	Parked    bool          // one of its links is parked
	Overdue   time.Duration // one of its links could have been claimed for so long; 0 = do not ask
	Limit     int           // 1 to 1000; 0 = 100
	Before    Cursor        // the last row of the page before; zero = the first page
	Window    int           // alerts that one statement of a search by text looks through; 0 = 20,000

	parked string // how the engine tells that link l is parked
}

// Cursor is a place in the list of alerts.
type Cursor struct {
	AcceptedAt time.Time
	ID         alert.ID
}

// AlertRow is one alert of a list, with its links.
type AlertRow struct {
	alert.Alert
	Links []alert.Link
}

// Cursor is the place after which the next page begins.
func (r AlertRow) Cursor() Cursor { return Cursor{r.AcceptedAt, r.ID} }

// conditions collects what a query asks, with its parameters.
type conditions struct {
	alert, link []string
	args        []any
}

func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

// list is arg for each text of a list.
func (c *conditions) list(texts []string) []string {
	marks := make([]string, len(texts))
	for i, text := range texts {
		marks[i] = c.arg(text)
	}
	return marks
}

func (q AlertQuery) conditions() *conditions {
	c := &conditions{}
	if q.Status != "" {
		c.alert = append(c.alert, "alert.status = "+c.arg(string(q.Status)))
	}
	if q.Source != "" {
		c.alert = append(c.alert, "alert.source = "+c.arg(q.Source))
	}
	if q.Severity != "" {
		word, _ := json.Marshal(q.Severity) // a text always can be
		c.alert = append(c.alert, "alert.body LIKE "+c.arg(likeEscape.Replace(`{"severity":`+string(word))+"%")+" ESCAPE '!'")
	}
	if q.Before != (Cursor{}) {
		c.alert = append(c.alert, c.before(q.Before))
	}
	if q.Connector != "" {
		c.link = append(c.link, "l.connector = "+c.arg(q.Connector))
	}
	if q.Stage != "" {
		c.link = append(c.link, "l.stage = "+c.arg(string(q.Stage)))
	}
	if q.Parked {
		c.link = append(c.link, q.parked)
	}
	if q.Overdue > 0 {
		c.link = append(c.link, "l.due_at IS NOT NULL AND l.due_at < (SELECT now FROM clock) - "+c.arg(q.Overdue.Microseconds()))
	}
	return c
}

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_", "[", "![")

// where is the condition on alerts, with that on one of their links in it.
func (c *conditions) where() string {
	all := c.alert
	if len(c.link) > 0 {
		all = append(all, "alert.id IN (SELECT l.alert_id FROM link AS l WHERE "+strings.Join(c.link, " AND ")+")")
	}
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// Alerts lists alerts, the newest first, with their links. A search by text goes
// on to the oldest alert (SearchAlerts does not).
func (db *DB) Alerts(ctx context.Context, q AlertQuery) ([]AlertRow, error) {
	limit := q.limit()
	var list []AlertRow
	for {
		q.Limit = limit - len(list)
		page, err := db.SearchAlerts(ctx, q)
		for _, row := range page.Rows {
			named := func(r AlertRow) bool { return r.ID == row.ID } // it comes again in its own place
			if q.Text == "" || !slices.ContainsFunc(list, named) {
				list = append(list, row)
			}
		}
		if err != nil || page.Next == (Cursor{}) || len(list) >= limit {
			return list, err
		}
		q.Before = page.Next
	}
}

// readLinks fills in the links of a page of alerts.
func (db *DB) readLinks(ctx context.Context, list []AlertRow) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[alert.ID]*AlertRow, len(list))
	marks := make([]string, len(list))
	ids := make([]any, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
		marks[i], ids[i] = "$"+strconv.Itoa(i+1), list[i].ID
	}
	return each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		l, err := scanLink(rows)
		if err != nil {
			return err
		}
		row := at[l.LinkID.Alert]
		row.Links = append(row.Links, l.Link)
		return nil
	}, "SELECT "+linkColumns+" FROM link WHERE alert_id IN ("+strings.Join(marks, ", ")+") ORDER BY alert_id, connector, side", ids...)
}

// AlertDetail is one alert with everything about its links.
type AlertDetail struct {
	alert.Alert
	Links []LinkDetail
}

// LinkDetail is a link with what only storage knows of it. Times are by the
// database's clock; zero = not so.
type LinkDetail struct {
	alert.Link
	DueAt       time.Time // when it may be claimed; zero = not due, or claimed
	ClaimedBy   string    // the server whose term the claim is of; "" = not claimed
	CreatedAt   time.Time
	ChangedAt   time.Time
	DeliveredAt time.Time
}

const detailText = `
SELECT ` + linkColumns + `, CASE WHEN link.claim_id IS NULL THEN '' ELSE coalesce(
	(SELECT lease.server FROM lease WHERE lease.connector = link.connector AND lease.epoch = link.claim_epoch),
	(SELECT e.to_server FROM availability_event AS e WHERE e.connector = link.connector AND e.epoch = link.claim_epoch
		AND e.to_server <> '' ORDER BY e.id LIMIT 1), '') END
FROM link WHERE link.alert_id = $1 ORDER BY link.connector, link.side`

// Alert returns one alert. It returns fault.NotFound when there is none.
func (db *DB) Alert(ctx context.Context, id alert.ID) (AlertDetail, error) {
	var r alertRow
	var d AlertDetail
	err := db.engine.Read.QueryRowContext(ctx, "SELECT "+alertColumns+" FROM alert WHERE id = $1", id).Scan(r.into()...)
	if err == sql.ErrNoRows {
		return d, noAlert(id.String())
	}
	if err == nil {
		d.Alert, err = r.alert()
	}
	if err != nil {
		return d, db.explain(err, "read alert "+id.String())
	}
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var by string
		l, err := scanLink(rows, &by)
		if err == nil {
			d.Links = append(d.Links, LinkDetail{
				Link: l.Link, DueAt: moment(l.dueAt.Int64), ClaimedBy: by,
				CreatedAt: moment(l.createdAt), ChangedAt: moment(l.changedAt), DeliveredAt: moment(l.deliveredAt),
			})
		}
		return err
	}, db.statements.detail, id)
	return d, db.explain(err, "read the links of alert "+id.String())
}

// candidates is how many alerts an ambiguous text is told to name.
const candidates = 5

// FindAlert returns the id of the alert that a text names: its whole id, the
// beginning of it, a ticket id, or the end of its id (from shortEnd digits on).
// It returns fault.NotFound when there is none, and fault.Conflict, which lists
// some, when several answer to it.
func (db *DB) FindAlert(ctx context.Context, text string) (alert.ID, error) {
	ids, err := db.findByID(ctx, text)
	if err == nil && len(ids) == 0 && text != "" {
		ids, err = db.findAlerts(ctx, "SELECT DISTINCT alert_id FROM link WHERE ticket = $1 AND skipped = ''"+db.first("alert_id", most), text)
	}
	if err == nil && len(ids) == 0 {
		ids, err = db.findByEnd(ctx, text)
	}
	switch {
	case err != nil:
		return alert.ID{}, db.explain(err, "find alert "+text)
	case len(ids) == 0:
		return alert.ID{}, noAlert(text)
	case len(ids) > 1:
		return alert.ID{}, ambiguous(text, ids)
	}
	return ids[0], nil
}

// most is how many ids a search for one reads: one more than an error lists.
var most = strconv.Itoa(candidates + 1)

func ambiguous(text string, ids []alert.ID) error {
	names := make([]string, 0, candidates)
	for _, id := range ids[:min(len(ids), candidates)] {
		names = append(names, id.String())
	}
	list := strings.Join(names, ", ")
	if len(ids) > candidates {
		list += " and others"
	}
	return fault.New(fault.Conflict, fmt.Sprintf("more than one alert answers to %q: %s", text, list)).
		WithNext("give more of the id; ids of alerts that came together differ at their end")
}

// shortEnd is how many digits of an id's end name it: fewer would fit many, and
// every id is read to find them.
const shortEnd = 4

// findByEnd looks for ids that end with the text.
func (db *DB) findByEnd(ctx context.Context, text string) ([]alert.ID, error) {
	digits := strings.ReplaceAll(strings.ToLower(text), "-", "")
	if _, _, ok := idRange(text); !ok || len(digits) < shortEnd || len(digits) >= 32 {
		return nil, nil
	}
	whole := uuid.MustParse(strings.Repeat("0", 32-len(digits)) + digits).String()
	end := len(whole)
	for left := len(digits); left > 0; end-- {
		if whole[end-1] != '-' {
			left--
		}
	}
	return db.findAlerts(ctx, "SELECT id FROM alert WHERE CAST(id AS char(36)) LIKE $1"+db.first("id", most), "%"+whole[end:])
}

// findByID looks for ids that begin with the text, by the range they lie in.
func (db *DB) findByID(ctx context.Context, text string) ([]alert.ID, error) {
	low, high, ok := idRange(text)
	if !ok {
		return nil, nil
	}
	return db.findAlerts(ctx, "SELECT id FROM alert WHERE id >= $1 AND id <= $2"+db.first("id", most), low, high)
}

// idRange is the first and the last id that begin with a text; ok is false when none can.
func idRange(text string) (low, high uuid.UUID, ok bool) {
	digits := strings.ReplaceAll(strings.ToLower(text), "-", "")
	if len(digits) == 0 || len(digits) > 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return low, high, false
	}
	return uuid.MustParse(pad(digits, "0")), uuid.MustParse(pad(digits, "f")), true
}

func pad(digits, with string) string { return digits + strings.Repeat(with, 32-len(digits)) }

func (db *DB) findAlerts(ctx context.Context, text string, args ...any) ([]alert.ID, error) {
	var ids []alert.ID
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id alert.ID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, text, args...)
	return ids, err
}

func noAlert(text string) error {
	return fault.New(fault.NotFound, fmt.Sprintf("there is no alert %q", text)).WithNext("tieline alert list shows those there are")
}
