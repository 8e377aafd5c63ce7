package sqlserver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	mssql "github.com/microsoft/go-mssqldb"

	"tieline/internal/store/engine"
)

func TestClassify(t *testing.T) {
	number := func(n int32) error { return fmt.Errorf("do it: %w", mssql.Error{Number: n, Class: 14}) }
	plain := func(text string) error { return mssql.Error{Number: untranslated, Class: 16, Message: text} }
	other := func(text string) error { return mssql.Error{Number: 50000, Class: 16, Message: text} }
	for _, c := range []struct {
		err  error
		want engine.Class
	}{
		{number(1205), engine.Busy}, {number(1222), engine.Busy}, {number(3960), engine.Busy}, {number(49918), engine.Busy},
		{number(2627), engine.Duplicate}, {number(2601), engine.Duplicate},
		{number(3906), engine.ReadOnly}, {number(976), engine.ReadOnly}, {number(978), engine.ReadOnly}, {number(983), engine.ReadOnly},
		{number(9002), engine.ReadOnly},
		{number(18456), engine.Unreachable}, {number(4060), engine.Unreachable}, {number(40613), engine.Unreachable},
		{number(2628), engine.BadRow}, {number(8152), engine.BadRow}, {number(1946), engine.BadRow}, {number(547), engine.BadRow},
		{number(208), engine.Other}, {number(102), engine.Other},
		{mssql.Error{Number: 823, Class: 24}, engine.Unreachable},
		{mssql.Error{Number: 3621, Class: 0, All: []mssql.Error{{Number: 2627, Class: 14}, {Number: 3621}}}, engine.Duplicate},
		{mssql.Error{Message: "server does not have an active transaction: the transaction was aborted by the server"}, engine.Busy},
		{mssql.StreamError{InnerError: io.ErrUnexpectedEOF}, engine.Unreachable},
		{&net.OpError{Op: "read", Err: io.EOF}, engine.Unreachable},
		{driver.ErrBadConn, engine.Unreachable}, {errLogin, engine.Unreachable},
		{errors.New("TLS Handshake failed: x509: certificate has expired"), engine.Unreachable},
		{plain("canceling statement due to lock timeout"), engine.Busy},
		{plain("could not serialize access due to concurrent update"), engine.Busy},
		{plain("duplicate key value violates unique constraint \"alert_pkey\""), engine.Duplicate},
		{plain("cannot execute UPDATE in a read-only transaction"), engine.ReadOnly},
		{plain("terminating connection due to administrator command"), engine.Unreachable},
		{plain("the database system is starting up"), engine.Unreachable},
		{plain("unsupported Unicode escape sequence"), engine.BadRow},
		{plain("function sys.nonsense() does not exist"), engine.Other},
		{other("Violation of PRIMARY KEY constraint 'PK__link'. Cannot insert duplicate key in object 'dbo.link'."), engine.Duplicate},
		{other("Lock request time out period exceeded."), engine.Busy},
		{other("String or binary data would be truncated."), engine.BadRow},
		{other("what is this"), engine.Other},
		{context.Canceled, engine.Other}, {errors.New("what is this"), engine.Other}, {nil, engine.Other},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%v: class %d, want %d", c.err, got, c.want)
		}
	}
}

func TestEveryNumberHasOneClass(t *testing.T) {
	n := 0
	for _, numbers := range classes {
		n += len(numbers)
	}
	if n != len(classOf) {
		t.Errorf("%d numbers are listed, %d are different", n, len(classOf))
	}
}
