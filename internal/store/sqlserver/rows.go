package sqlserver

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"

	"tieline/internal/store/engine"
)

// widths are the types of text columns that are keys or lie in an index, as the
// schema has them: input of another type would have the column converted.
var widths = map[string]string{
	"connector": "nvarchar(100)", "side": "nvarchar(16)", "stage": "nvarchar(16)", "status": "nvarchar(16)",
	"source": "nvarchar(200)", "source_key": "nvarchar(1024)", "latest_key": "nvarchar(1024)",
	"ticket": "nvarchar(450)", "server": "nvarchar(100)", "accepted_by": "nvarchar(100)", "kind": "nvarchar(100)",
}

// reserved are the columns whose names T-SQL keeps for itself.
var reserved = map[string]string{"identity": "[identity]"}

func column(name string) string {
	if quoted := reserved[name]; quoted != "" {
		return quoted
	}
	return name
}

func columnType(c engine.Column) string {
	switch c.Type {
	case engine.UUID, engine.NullUUID:
		return "char(36)"
	case engine.Int, engine.NullInt:
		return "bigint"
	}
	if width := widths[c.Name]; width != "" {
		return width
	}
	return "nvarchar(max)"
}

// collate is how the schema compares texts. What comes out of OPENJSON has the
// database's own collation, and two of them cannot be compared.
const collate = " COLLATE Latin1_General_100_BIN2"

// ordinal is the column of every input that numbers its rows, from 0.
const ordinal = "ordinal"

// input makes the rows one parameter, $1, whatever their number: a JSON array of
// objects. (A statement has 2,100 parameters at most, a VALUES list 1,000 rows.)
func input(columns []engine.Column) string {
	names, values, types := []string{ordinal}, []string{ordinal}, []string{ordinal + " int"}
	for _, c := range columns {
		name := column(c.Name)
		value := name
		if c.Type != engine.Int && c.Type != engine.NullInt {
			value += collate
		}
		names, values, types = append(names, name), append(values, value), append(types, name+" "+columnType(c))
	}
	return "WITH input (" + strings.Join(names, ", ") + ") AS (\n\tSELECT " + strings.Join(values, ", ") +
		"\n\tFROM OPENJSON($1) WITH (" + strings.Join(types, ", ") + "))\n"
}

// prologue holds the time still for a statement: its stamps must agree.
const prologue = "DECLARE @now bigint = (SELECT now FROM clock);\n"

// inputThen makes a statement of the parts that every engine shares, for those
// that are not written in full.
func inputThen(columns []engine.Column, into, rest string) string {
	return prologue + input(columns) + into + rest
}

// run executes a batch statement. What it affects is counted by the statement
// itself, in the row it answers.
func run(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
	text, err := document(b.Columns, rows)
	if err != nil {
		return 0, err
	}
	var affected int64
	err = tx.QueryRowContext(ctx, b.Text+";\nSELECT CAST(@@ROWCOUNT AS bigint);", text).Scan(&affected)
	return affected, err
}

func each(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) (err error) {
	text, err := document(b.Columns, rows)
	if err != nil {
		return err
	}
	answer, err := tx.QueryContext(ctx, b.Text+";", text)
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

// document is the input's parameter. Its type is always nvarchar(max): one plan
// serves every length.
func document(columns []engine.Column, rows [][]any) (mssql.NVarCharMax, error) {
	objects := make([]map[string]any, len(rows))
	for i, row := range rows {
		object := make(map[string]any, len(columns)+1)
		object[ordinal] = i
		for n, c := range columns {
			if row[n] != nil {
				object[c.Name] = row[n]
			}
		}
		objects[i] = object
	}
	text, err := json.Marshal(objects)
	if err != nil {
		return "", fmt.Errorf("write the rows of a statement: %w", err)
	}
	return mssql.NVarCharMax(text), nil
}
