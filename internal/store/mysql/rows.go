package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"tieline/internal/store/engine"
)

// batchBytes bounds the rows of one statement. Written into it their quotes and
// backslashes are doubled, so a statement stays well within minPacket.
const batchBytes = 2 << 20

// input is the table expression of a statement's rows, which come as one
// parameter: a JSON list with a list for each row. It keeps their order.
func (f flavour) input(columns []engine.Column) string {
	var b strings.Builder
	b.WriteString("JSON_TABLE($1, '$[*]' COLUMNS (")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("`" + c.Name + "` " + f.columnType(c.Type) + " PATH '$[" + strconv.Itoa(i) + "]'")
	}
	return b.String() + "))"
}

func (f flavour) columnType(t engine.Type) string {
	switch t {
	case engine.Int, engine.NullInt:
		return "BIGINT"
	case engine.UUID, engine.NullUUID:
		return "CHAR(36) CHARACTER SET utf8mb4 COLLATE " + f.collation
	default:
		return "LONGTEXT CHARACTER SET utf8mb4 COLLATE " + f.collation
	}
}

// rows makes a statement over rows of one that reads them from "input". Here an
// INSERT stands before WITH.
func (f flavour) rows(columns []engine.Column, into, rest string) string {
	return into + "\nWITH input AS (SELECT * FROM " + f.input(columns) + " AS given)\n" + rest
}

func run(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
	var affected int64
	for len(rows) > 0 {
		some, n := encode(rows)
		rows = rows[n:]
		r, err := tx.ExecContext(ctx, b.Text, some)
		if err != nil {
			return 0, err
		}
		n64, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		affected += n64
	}
	return affected, nil
}

func each(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) error {
	for len(rows) > 0 {
		some, n := encode(rows)
		rows = rows[n:]
		if err := answers(ctx, tx, b.Text, some, scan); err != nil {
			return err
		}
	}
	return nil
}

// answers runs a text of one or several statements, of which one answers rows,
// and fails when any of them does.
func answers(ctx context.Context, tx *sql.Tx, text string, input json.RawMessage, scan func(*sql.Rows) error) (err error) {
	rows, err := tx.QueryContext(ctx, text, input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// encode writes the first rows as the JSON of input, as many as batchBytes
// holds and one at least, and returns how many they are.
func encode(rows [][]any) (text json.RawMessage, n int) {
	text = append(make([]byte, 0, 256*len(rows)), '[')
	for i, row := range rows {
		if i > 0 {
			if len(text) > batchBytes {
				return append(text, ']'), i
			}
			text = append(text, ',')
		}
		for j, v := range row {
			if j == 0 {
				text = append(text, '[')
			} else {
				text = append(text, ',')
			}
			text = appendValue(text, v)
		}
		text = append(text, ']')
	}
	return append(text, ']'), len(rows)
}

func appendValue(text []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(text, v, 10)
	case string:
		return appendString(text, v)
	case uuid.UUID:
		return append(append(append(text, '"'), v.String()...), '"')
	default:
		return append(text, "null"...)
	}
}

const hex = "0123456789abcdef"

// appendString writes a JSON string. Bytes that are no text become U+FFFD.
func appendString(text []byte, s string) []byte {
	text = append(text, '"')
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			text = append(text, '\\', byte(r))
		case r < ' ':
			text = append(text, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			text = utf8.AppendRune(text, r)
		}
		s = s[size:]
	}
	return append(text, '"')
}
