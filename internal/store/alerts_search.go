package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

// A search by text has no index: it goes through the alerts from the newest on,
// a window at a time, and stops where it has read enough. Whoever wants to know
// of older ones goes on from there.
const (
	searchWindow  = 20_000 // alerts that one statement looks through, where the query does not say
	searchWindows = 5      // of one page
	searchRead    = 5_000  // rows that one page reads at most: the database's answer is too long
	searchFirst   = 200    // rows of the first answer; each further one is longer
	searchMost    = 2_000
)

// begin is the place before the newest alert, for whoever has seen those alone
// that were named.
var begin = Cursor{AcceptedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// AlertPage is one page of a list of alerts.
type AlertPage struct {
	Rows []AlertRow
	// Next is where the next page begins; zero = this is the last. A page of a
	// search by text may have few rows, or none, and a next one all the same.
	Next Cursor
}

// SearchAlerts returns one page of the alerts that a person wants to see, the
// newest first, with their links; one that is named by its id, or by the whole id
// of its ticket, stands before the others whatever its age. What a search by text
// costs is bounded: it may end before it has found enough.
func (db *DB) SearchAlerts(ctx context.Context, q AlertQuery) (AlertPage, error) {
	q.Limit, q.Window, q.parked = q.limit(), cmp.Or(q.Window, searchWindow), db.statements.isParked
	s := &search{db: db, q: q, words: strings.ToLower(q.Text), want: q.Limit, from: q.Before}
	err := s.run(ctx)
	if err == nil {
		err = db.readLinks(ctx, s.page.Rows)
	}
	return s.page, db.explain(err, "list alerts")
}

// limit is how many rows a page has at most.
func (q AlertQuery) limit() int {
	if q.Limit <= 0 {
		return 100
	}
	return min(q.Limit, 1000)
}

// search is a page in the making.
type search struct {
	db    *DB
	q     AlertQuery
	words string // the text as it is compared; "" = none is asked for
	want  int    // rows that are still wanted
	from  Cursor // where the window begins
	page  AlertPage
}

func (s *search) run(ctx context.Context) error {
	if s.words == "" {
		rows, err := s.db.alertsWhere(ctx, s.q.conditions(), s.want+1)
		s.take(rows)
		return err
	}
	if s.from == (Cursor{}) {
		err := s.named(ctx)
		if s.want == 0 {
			s.page.Next = begin
		}
		if err != nil || s.want == 0 {
			return err
		}
	}
	read, chunk := 0, searchFirst
	for range searchWindows {
		for {
			n, last, fits, err := s.look(ctx, chunk)
			read += n
			if err != nil || s.take(fits) {
				return err
			}
			if n < chunk {
				break
			}
			if s.from = last; read >= searchRead {
				s.page.Next = s.from
				return nil
			}
			chunk = min(chunk*2, searchMost)
		}
		if more, err := s.pass(ctx); err != nil || !more {
			return err
		}
	}
	s.page.Next = s.from
	return nil
}

// take puts rows on the page; true = it is full, and there are more.
func (s *search) take(rows []AlertRow) bool {
	if len(rows) > s.want {
		s.page.Rows = append(s.page.Rows, rows[:s.want]...)
		s.page.Next = s.page.Rows[len(s.page.Rows)-1].Cursor()
		return true
	}
	s.page.Rows, s.want = append(s.page.Rows, rows...), s.want-len(rows)
	return false
}

// named finds the alerts that the text names exactly.
func (s *search) named(ctx context.Context) error {
	q := s.q
	q.Text = ""
	c := q.conditions()
	named := []string{`alert.id IN (SELECT l.alert_id FROM link AS l
		WHERE l.connector IN (SELECT name FROM connector) AND l.ticket = ` + c.arg(s.q.Text) + " AND l.ticket <> '')"}
	if low, high, ok := idRange(s.q.Text); ok && len(s.q.Text) >= shortID {
		named = append(named, "alert.id >= "+c.arg(low)+" AND alert.id <= "+c.arg(high))
	}
	c.alert = append(c.alert, "("+strings.Join(named, " OR ")+")")
	rows, err := s.db.alertsWhere(ctx, c, s.want)
	s.take(rows)
	return err
}

// look reads the next n alerts of the window that may have the text, and returns
// how many there were, the last of them, and those that do have it.
func (s *search) look(ctx context.Context, n int) (read int, last Cursor, fits []AlertRow, err error) {
	q := s.q
	q.Text, q.Before = "", s.from
	c := q.conditions()
	c.alert = append(c.alert, "alert.accepted_at >= ("+s.floor(c, "coalesce(min(n.accepted_at), 0)")+")")
	other := c.otherTexts(s.words)
	c.alert = append(c.alert, "(lower(alert.body) LIKE "+c.arg(inBody(s.words))+" ESCAPE '!' OR lower(alert.source_key) LIKE "+
		c.arg(likely(s.words))+" ESCAPE '!' OR "+other+")")
	text := "SELECT " + alertColumns + ", CASE WHEN " + other + " THEN 1 ELSE 0 END FROM alert" + c.where() +
		s.db.first("alert.accepted_at DESC, alert.id DESC", c.arg(n))
	err = each(ctx, s.db.engine.Read, func(rows *sql.Rows) error {
		var otherwise int
		a, err := scanAlert(rows, &otherwise)
		if err != nil {
			return err
		}
		read++
		row := AlertRow{Alert: a}
		last = row.Cursor()
		if (otherwise == 1 || says(&a, s.words)) && !s.has(a.ID) {
			fits = append(fits, row)
		}
		return nil
	}, text, c.args...)
	return read, last, fits, err
}

// has reports whether an alert is on the page already, because it was named.
func (s *search) has(id alert.ID) bool {
	return slices.ContainsFunc(s.page.Rows, func(r AlertRow) bool { return r.ID == id })
}

// floor selects of the window's alerts, which begins after s.from.
func (s *search) floor(c *conditions, what string) string {
	text := "SELECT " + what + " FROM (SELECT alert.accepted_at FROM alert"
	if s.from != (Cursor{}) {
		text += " WHERE " + c.before(s.from)
	}
	return text + s.db.first("alert.accepted_at DESC, alert.id DESC", c.arg(s.q.Window)) + ") AS n"
}

// pass goes on to the next window; false = there is none.
func (s *search) pass(ctx context.Context) (more bool, err error) {
	c := &conditions{}
	text := s.floor(c, "coalesce(min(n.accepted_at), 0), count(*)")
	var lowest int64
	var n int
	if err := s.db.engine.Read.QueryRowContext(ctx, text, c.args...).Scan(&lowest, &n); err != nil {
		return false, err
	}
	s.from = Cursor{AcceptedAt: moment(lowest)} // all that were accepted at that moment were looked at
	return n >= s.q.Window, nil
}

// alertsWhere lists the newest n alerts of which conditions hold, without links.
func (db *DB) alertsWhere(ctx context.Context, c *conditions, n int) (list []AlertRow, err error) {
	text := "SELECT " + alertColumns + " FROM alert" + c.where() + db.first("alert.accepted_at DESC, alert.id DESC", c.arg(n))
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		list = append(list, AlertRow{Alert: a})
		return err
	}, text, c.args...)
	return list, err
}

// otherTexts is the condition that a text is part of one of the alert's ticket
// ids, or of its own id. The count keeps the engine from reading every link first.
func (c *conditions) otherTexts(words string) string {
	text := "0 < (SELECT count(*) FROM link AS l WHERE l.alert_id = alert.id AND lower(l.ticket) LIKE " + c.arg(likely(words)) + " ESCAPE '!')"
	if len(words) >= partOfID && strings.Trim(words, "0123456789abcdef-") == "" {
		text += " OR CAST(alert.id AS char(36)) LIKE " + c.arg("%"+words+"%")
	}
	return "(" + text + ")"
}

const (
	shortID  = 8 // how much of an id's beginning names it: ids that came together begin alike
	partOfID = 6 // how much of an id, anywhere in it, a search takes for a part of one
)

// inBody is a LIKE pattern that fits every content in which a text stands; it may
// fit others. A letter beyond ASCII is any letter, because engines differ in what
// they take for its lower case.
func inBody(words string) string {
	quoted, _ := json.Marshal(words) // a text always can be
	var b strings.Builder
	for _, r := range string(quoted[1 : len(quoted)-1]) {
		switch {
		case r > 0xFFFF: // two units for some engines
			b.WriteByte('%')
		case r > 127:
			b.WriteByte('_')
		default:
			b.WriteString(likeEscape.Replace(string(r)))
		}
	}
	return "%" + b.String() + "%"
}

// says reports whether the alert's key or a value of its content has the text.
func says(a *alert.Alert, words string) bool {
	has := func(value string) bool { return strings.Contains(strings.ToLower(value), words) }
	if slices.ContainsFunc([]string{a.Key, a.Severity, a.Summary, a.Description, a.URL}, has) {
		return true
	}
	for _, table := range []map[string]string{a.Labels, a.Annotations} {
		for value := range maps.Values(table) {
			if has(value) {
				return true
			}
		}
	}
	return false
}

// before is the condition that an alert stands behind a place in the list.
func (c *conditions) before(place Cursor) string {
	at := c.arg(micros(place.AcceptedAt))
	if place.ID == uuid.Nil {
		return "alert.accepted_at < " + at
	}
	return "alert.accepted_at <= " + at + " AND (alert.accepted_at < " + at + " OR alert.id < " + c.arg(place.ID) + ")"
}
