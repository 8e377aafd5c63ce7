package tds

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// query has PostgreSQL carry one statement out.
func (b *batch) query(text string) (result, error) {
	rows, err := b.session.postgres.Query(b.ctx, b.translate(text), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return result{}, err
	}
	defer rows.Close()
	var r result
	for _, f := range rows.FieldDescriptions() {
		r.kinds = append(r.kinds, kindOf(f.DataTypeOID))
	}
	for rows.Next() {
		raw := rows.RawValues()
		row := make([]any, len(raw))
		for i, v := range raw {
			if row[i], err = valueOf(r.kinds[i], v); err != nil {
				return r, err
			}
		}
		r.rows = append(r.rows, row)
	}
	r.count = rows.CommandTag().RowsAffected()
	return r, rows.Err()
}

func kindOf(oid uint32) kind {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID:
		return numbers
	case pgtype.TimestamptzOID:
		return stamps
	}
	return texts
}

// valueOf is what PostgreSQL wrote as text.
func valueOf(k kind, v []byte) (any, error) {
	if v == nil {
		return nil, nil //nolint:nilnil // NULL
	}
	if k != numbers {
		return string(v), nil
	}
	return strconv.ParseInt(string(v), 10, 64)
}

// literal is a variable's value, or the table of that name.
func (b *batch) literal(name string) string {
	switch name {
	case "@@ROWCOUNT":
		return strconv.FormatInt(b.count, 10)
	case "@@SPID":
		return strconv.FormatInt(b.session.id, 10)
	}
	v, ok := b.vars[name]
	if !ok {
		return "v_" + name[1:]
	}
	switch v := v.(type) {
	case int64:
		return "((" + strconv.FormatInt(v, 10) + ")::bigint)"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	return "NULL"
}
