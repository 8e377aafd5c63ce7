package mysql

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/store/engine"
	"tieline/internal/store/hosts"
)

// codes are the servers' error numbers that mean something to the store. Where
// MariaDB and MySQL differ, both are here.
var codes = map[uint16]engine.Class{
	1062: engine.Duplicate,   // a key's value is there already
	1205: engine.Busy,        // a lock was not granted in time
	1213: engine.Busy,        // a deadlock, codeDeadlock
	3572: engine.Busy,        // a lock was not granted at once
	1317: engine.Busy,        // the statement was interrupted
	1969: engine.Busy,        // MariaDB: it took longer than max_statement_time
	3024: engine.Busy,        // MySQL: longer than max_execution_time
	3101: engine.Busy,        // MySQL: another member of the group changed the row first, at the commit
	1021: engine.ReadOnly,    // the disk is full
	1114: engine.ReadOnly,    // the table is full
	1290: engine.ReadOnly,    // --read-only
	1792: engine.ReadOnly,    // a read-only transaction
	1836: engine.ReadOnly,    // read-only mode
	1040: engine.Unreachable, // too many connections
	1203: engine.Unreachable, // too many of this user
	1226: engine.Unreachable, // a resource limit of the user
	1047: engine.Unreachable, // the node is not ready (Galera), or a broken protocol
	1053: engine.Unreachable, // the server shuts down
	1077: engine.Unreachable, // the same
	1079: engine.Unreachable, // the same
	1129: engine.Unreachable, // this host failed too often
	1152: engine.Unreachable, // the connection was aborted
	1158: engine.Unreachable, // the network failed in reading
	1159: engine.Unreachable, // timed out in reading
	1160: engine.Unreachable, // failed in writing
	1161: engine.Unreachable, // timed out in writing
	1184: engine.Unreachable, // the connection was aborted
	1927: engine.Unreachable, // MariaDB: the connection was killed
	3032: engine.Unreachable, // MySQL: the server is in offline mode
	3169: engine.Unreachable, // MySQL: the session was killed
	4031: engine.Unreachable, // MySQL: it was silent for too long
	1048: engine.BadRow,      // NULL where there must be a value
	1118: engine.BadRow,      // the row is too large
	1153: engine.BadRow,      // the packet is too large
	1264: engine.BadRow,      // out of range
	1292: engine.BadRow,      // a value of another type
	1300: engine.BadRow,      // no valid text
	1301: engine.BadRow,      // a result larger than max_allowed_packet
	1366: engine.BadRow,      // a value of another type, or no valid text
	1406: engine.BadRow,      // too long for its column
	3140: engine.BadRow,      // MySQL: no valid JSON
	3141: engine.BadRow,      // MySQL: the same, in a parameter
	3819: engine.BadRow,      // MySQL: a check refused it
	4025: engine.BadRow,      // MariaDB: a check refused it
	4038: engine.BadRow,      // MariaDB: no valid JSON
}

// codeDeadlock: the transaction was undone so that another could go on.
const codeDeadlock = 1213

func classify(err error) engine.Class {
	var e *mysql.MySQLError
	var network net.Error
	var found *hosts.Reason
	switch {
	case errors.As(err, &found):
		return engine.Unreachable
	case errors.As(err, &e):
		return codes[e.Number]
	case errors.Is(err, mysql.ErrPktTooLarge):
		return engine.BadRow
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return engine.Unreachable
	}
	return engine.Other
}

// isCode reports whether the server answered with an error number.
func isCode(err error, number uint16) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == number
}
