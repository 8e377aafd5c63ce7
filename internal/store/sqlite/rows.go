package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tieline/internal/store/engine"
)

// rows makes the input one row of parameters: run executes the prepared
// statement once per row. Nothing crosses a network here, and one row at a time
// was measured faster than many (42,000 rows/s; 25,000 by json_each; 33,000 to
// 2,600 by VALUES lists of 10 to 500 rows).
func rows(columns []engine.Column, into, rest string) string {
	names := make([]string, len(columns))
	values := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
		values[i] = fmt.Sprintf("$%d", i+1)
	}
	return "WITH input (" + strings.Join(names, ", ") + ") AS (SELECT " + strings.Join(values, ", ") + ")\n" + into + rest
}

func run(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
	stmt, err := tx.PrepareContext(ctx, b.Text) // closed with the transaction
	if err != nil {
		return 0, err
	}
	var affected int64
	for _, row := range rows {
		r, err := stmt.ExecContext(ctx, row...)
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		affected += n
	}
	return affected, nil
}

func each(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) error {
	stmt, err := tx.PrepareContext(ctx, b.Text)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := one(ctx, stmt, row, scan); err != nil {
			return err
		}
	}
	return nil
}

func one(ctx context.Context, stmt *sql.Stmt, row []any, scan func(*sql.Rows) error) (err error) {
	answer, err := stmt.QueryContext(ctx, row...)
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
