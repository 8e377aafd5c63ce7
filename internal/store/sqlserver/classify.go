package sqlserver

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"

	"tieline/internal/store/engine"
)

// classes are SQL Server's error numbers, by what they mean to the store.
var classes = map[engine.Class][]int32{
	engine.Duplicate: {2601, 2627}, // a unique index, a key

	engine.Busy: {
		1205, 1222, // deadlock victim, lock timeout
		1204, 701, 802, 8645, 8651, // no lock, no memory now
		3960, 3961, // a conflict of row versions
		10928, 10929, 49918, 49919, 49920, // Azure: at a limit, try again
	},

	engine.ReadOnly: {
		3906, 3908, // the database is read-only, or in recovery
		976, 978, 979, 982, 983, // a replica of an availability group that takes no writes
		1101, 1105, 9002, // no space in a file, the log full
		1827, 40544, // the edition's or service's limit of size
	},

	engine.Unreachable: {
		18456, 18452, 18486, 18487, 18488, 18401, 18451, // login refused, or not now
		4060, 4064, 911, 916, // the database cannot be opened
		233, 64, 121, 10053, 10054, 10060, 10061, 17142, 17187, 17188, 17189, 17197, 17198, // connection broken or not taken
		921, 922, 923, 924, 925, 926, 927, 942, 945, 952, 954, 955, // the database is not up
		596, 6005, 6006, // session killed, shutting down
		4221, 40197, 40501, 40532, 40540, 40549, 40550, 40613, 40615, 40914, 42108, 42109, 47073, // Azure: failing over, away, not let in
	},

	engine.BadRow: {
		8152, 2628, // does not fit its column
		220, 232, 241, 245, 248, 257, 8114, 8115, 8169, // cannot be converted
		515, 547, // NULL, a constraint
		1946, 1919, 511, // too long for an index, for a row
		13608, 13609, 13610, 13623, // no JSON
	},
}

var classOf = func() map[int32]engine.Class {
	of := map[int32]engine.Class{}
	for class, numbers := range classes {
		for _, n := range numbers {
			of[n] = class
		}
	}
	return of
}()

// fatal is the severity from which on the server ends the connection.
const fatal = 20

func classify(err error) engine.Class {
	var e mssql.Error
	if errors.As(err, &e) {
		return classifyNumber(e)
	}
	var network net.Error
	var stream mssql.StreamError
	broken := errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errLogin)
	if broken || errors.As(err, &network) || errors.As(err, &stream) {
		return engine.Unreachable
	}
	// The driver tells these as text alone.
	if err != nil && (strings.Contains(err.Error(), "TLS Handshake") || strings.Contains(err.Error(), "does not support encryption")) {
		return engine.Unreachable
	}
	return engine.Other
}

// classifyNumber looks at every error of the answer: a statement that fails for
// one reason may be reported as ended for another (3621, 3609) behind it.
func classifyNumber(e mssql.Error) engine.Class {
	all := e.All
	if len(all) == 0 {
		all = []mssql.Error{e}
	}
	for _, one := range all {
		if class, ok := classOf[one.Number]; ok {
			return class
		}
	}
	for _, one := range all {
		if class := classifyText(one.Message); class != engine.Other {
			return class
		}
	}
	switch {
	case e.Class >= fatal:
		return engine.Unreachable
	case e.Number == 0 && strings.Contains(e.Message, "aborted by the server"):
		return engine.Busy // the driver's own word for a transaction the server has rolled back
	}
	return engine.Other
}

// texts are what servers that are no SQL Server say where they have none of its
// numbers: Babelfish PostgreSQL's own words, under one number for all, others SQL
// Server's words under numbers of theirs.
var texts = []struct {
	class engine.Class
	parts []string
}{
	{engine.Busy, []string{
		"lock timeout", "could not obtain lock", "could not serialize access", "deadlock detected",
		"Lock request time out", "was deadlocked on",
	}},
	{engine.Duplicate, []string{"duplicate key value", "Violation of PRIMARY KEY", "Violation of UNIQUE KEY", "Cannot insert duplicate key"}},
	{engine.ReadOnly, []string{"in a read-only transaction", "No space left on device", "is not accepting commands", "because the database is read-only"}},
	{engine.Unreachable, []string{
		"terminating connection", "the database system is", "too many clients", "remaining connection slots", "server closed the connection",
	}},
	{engine.BadRow, []string{"would be truncated", "value too long", "invalid input syntax", "unsupported Unicode escape", "invalid byte sequence", "exceeds btree"}},
}

func classifyText(message string) engine.Class {
	for _, t := range texts {
		for _, part := range t.parts {
			if strings.Contains(message, part) {
				return t.class
			}
		}
	}
	return engine.Other
}

// number is SQL Server's number of an error; 0 when it is none of the server's.
func number(err error) int32 {
	var e mssql.Error
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}
