package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"tieline/internal/store/engine"
)

var arrayTypes = map[engine.Type]string{
	engine.Text: "text[]", engine.NullText: "text[]", engine.Int: "bigint[]", engine.NullInt: "bigint[]",
	engine.UUID: "uuid[]", engine.NullUUID: "uuid[]",
}

// rows makes the input one array parameter per column: a statement is one round
// trip and one plan, whatever the number of rows.
func rows(columns []engine.Column, into, rest string) string {
	names := make([]string, len(columns))
	arrays := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
		arrays[i] = fmt.Sprintf("$%d::%s", i+1, arrayTypes[c.Type])
	}
	return "WITH input (" + strings.Join(names, ", ") + ") AS (SELECT * FROM unnest(" +
		strings.Join(arrays, ", ") + "))\n" + into + rest
}

func run(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
	r, err := tx.ExecContext(ctx, b.Text, columns(b.Columns, rows)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func each(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) (err error) {
	answer, err := tx.QueryContext(ctx, b.Text, columns(b.Columns, rows)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	for answer.Next() {
		if err := scan(answer); err != nil {
			return err
		}
	}
	return answer.Err()
}

// columns turns rows into one typed array per column.
func columns(cols []engine.Column, rows [][]any) []any {
	arrays := make([]any, len(cols))
	for i, c := range cols {
		switch c.Type {
		case engine.Text:
			arrays[i] = column(rows, i, func(v any) string { return v.(string) })
		case engine.NullText:
			arrays[i] = column(rows, i, nullText)
		case engine.Int:
			arrays[i] = column(rows, i, func(v any) int64 { return v.(int64) })
		case engine.NullInt:
			arrays[i] = column(rows, i, nullInt)
		case engine.UUID, engine.NullUUID:
			arrays[i] = column(rows, i, nullUUID)
		}
	}
	return arrays
}

func column[T any](rows [][]any, i int, value func(any) T) []T {
	values := make([]T, len(rows))
	for n, row := range rows {
		values[n] = value(row[i])
	}
	return values
}

func nullText(v any) pgtype.Text {
	s, ok := v.(string)
	return pgtype.Text{String: s, Valid: ok}
}

func nullInt(v any) pgtype.Int8 {
	n, ok := v.(int64)
	return pgtype.Int8{Int64: n, Valid: ok}
}

func nullUUID(v any) pgtype.UUID {
	id, ok := v.(uuid.UUID)
	return pgtype.UUID{Bytes: id, Valid: ok}
}
