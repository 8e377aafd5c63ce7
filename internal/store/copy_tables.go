package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"hash"
	"math/big"
	"strings"

	"github.com/google/uuid"

	"tieline/internal/store/engine"
)

// copied is a table as Copy takes it over.
type copied struct {
	name string
	// numbered says that the database numbers the rows: they are read in the order
	// of their numbers, written in it, and numbered anew. Within is the column whose
	// rows' order among each other matters, "" = all rows'.
	numbered bool
	within   string
	columns  []engine.Column
}

// tables is every table but management_group, which Copy writes by itself. A
// test of every engine holds it against the schema.
var tables = []copied{
	table("connector", "name version:i polling:i tolerance:i failback send_window:i settle:i changed_at:i"),
	table("connector_version", "connector version:i document who comment at:i"),
	table("draft", "connector revision:i base:i document author at:i ended"),
	table("server", "name address boot presence beat:i version heartbeat_at:i promised:i high_availability:i joined_at:i"),
	table("membership", "connector server position:i runs:i eligible:i reaches:i reason"),
	table("lease", "connector epoch:i beat:i server boot promised:i successor wish identity since:i"),
	numbered("availability_event", "", "connector epoch:i at:i from_server to_server reason who"),
	table("alert", "id:u source source_key latest_key:? status revision:i seen:i starts_at:i ends_at:i body accepted_at:i "+
		"changed_at:i accepted_by previous:u? generation:i behind:i?"),
	table("link", "alert_id:u connector side stage ticket ticket_url twins told delivered:i notes_delivered:i attempts:i failure "+
		"parked skipped wanted:i notes_wanted:i heard claim_id:u? claim_epoch:i hold_epoch:i hold_until:i evidence due_at:i? "+
		"not_before:i created_at:i changed_at:i delivered_at:i"),
	table("note", "alert_id:u connector side seq:i text at:i"),
	numbered("timeline", "alert_id", "alert_id:u connector at:i server epoch:i kind text endpoint took:i revision:i ticket"),
	table("news", "connector id ticket state author text at:i received_at:i"),
	table("bookmark", "connector name value"),
	table("throughput", "connector server delivered:i at:i"),
	table("account", "name kind subject role password generation:i created_at:i changed_at:i signed_in_at:i"),
	table("session", "hash account generation:i data address created_at:i seen_at:i expires_at:i"),
	table("api_token", "name hash role created_by created_at:i expires_at:i used_at:i"),
	table("set_up", "hash expires_at:i"),
	table("strike", "name failures:i last_at:i until_at:i"),
	numbered("audit", "", "at:i who role via action target detail outcome address server"),
}

func numbered(name, within, columns string) copied {
	t := table(name, columns)
	t.numbered, t.within = true, within
	return t
}

// table reads columns as "name" for a text, "name:i" for a number, "name:u" for
// a UUID, and a "?" at the end for one that may be NULL.
func table(name, columns string) copied {
	types := map[string]engine.Type{
		"": engine.Text, "?": engine.NullText, "i": engine.Int, "i?": engine.NullInt, "u": engine.UUID, "u?": engine.NullUUID,
	}
	t := copied{name: name}
	for _, c := range strings.Fields(columns) {
		column, kind, _ := strings.Cut(c, ":")
		t.columns = append(t.columns, engine.Column{Name: column, Type: types[kind]})
	}
	return t
}

func (t copied) names(e *engine.Engine) string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = e.Column(c.Name)
	}
	return strings.Join(names, ", ")
}

// read calls f with each row, its values as engine.Batch has them.
func (t copied) read(ctx context.Context, e *engine.Engine, f func(row []any) error) error {
	text := "SELECT " + t.names(e) + " FROM " + t.name
	switch {
	case t.within != "":
		text += " ORDER BY " + t.within + ", id"
	case t.numbered:
		text += " ORDER BY id"
	}
	return each(ctx, e.Read, func(rows *sql.Rows) error {
		into := make([]any, len(t.columns))
		for i, c := range t.columns {
			into[i] = place(c.Type)
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]any, len(into))
		for i := range into {
			row[i] = value(into[i])
		}
		return f(row)
	}, text)
}

// place is where a column of the type is scanned to.
func place(t engine.Type) any {
	switch t {
	case engine.Int, engine.NullInt:
		return &sql.NullInt64{}
	case engine.UUID, engine.NullUUID:
		return &uuid.NullUUID{}
	default:
		return &sql.NullString{}
	}
}

func value(scanned any) any {
	switch v := scanned.(type) {
	case *sql.NullInt64:
		if v.Valid {
			return v.Int64
		}
	case *uuid.NullUUID:
		if v.Valid {
			return v.UUID
		}
	case *sql.NullString:
		if v.Valid {
			return v.String
		}
	}
	return nil
}

// insert is the statement that writes rows, in the order of the number that each
// has before its values.
func (t copied) insert(e *engine.Engine) *engine.Batch {
	columns := append([]engine.Column{{Name: "place", Type: engine.Int}}, t.columns...)
	return &engine.Batch{Columns: columns, Text: e.Rows(columns,
		"INSERT INTO "+t.name+" ("+t.names(e)+")\n", "SELECT "+t.names(e)+" FROM input ORDER BY place")}
}

// digest is of all rows of a table, whatever their order; of a numbered table's
// rows, of their order as well. Two tables have one digest if they have the same
// rows.
type digest struct {
	rows  int64
	sum   big.Int
	table copied
	hash  hash.Hash
	of    any   // what the rows just read are within
	place int64 // of a row within that
}

func newDigest(t copied) *digest { return &digest{table: t, hash: sha256.New()} }

func (d *digest) add(row []any) {
	d.hash.Reset()
	if d.table.numbered {
		var within any
		for i, c := range d.table.columns {
			if c.Name == d.table.within {
				within = row[i]
			}
		}
		if within != d.of {
			d.of, d.place = within, 0
		}
		d.place++
		d.number(uint64(d.place))
	}
	for _, v := range row {
		d.value(v)
	}
	d.rows++
	d.sum.Add(&d.sum, new(big.Int).SetBytes(d.hash.Sum(nil)))
}

// value adds one value; each begins with its kind and length, so that no two
// rows read alike.
func (d *digest) value(v any) {
	switch v := v.(type) {
	case nil:
		d.hash.Write([]byte{'-'})
	case int64:
		d.hash.Write([]byte{'i'})
		d.number(uint64(v)) //nolint:gosec // the bits are what is hashed
	case uuid.UUID:
		d.hash.Write([]byte{'u'})
		d.hash.Write(v[:])
	case string:
		d.hash.Write([]byte{'t'})
		d.number(uint64(len(v)))
		d.hash.Write([]byte(v))
	}
}

func (d *digest) number(n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	d.hash.Write(b[:])
}

func (d *digest) equal(o *digest) bool { return d.rows == o.rows && d.sum.Cmp(&o.sum) == 0 }
