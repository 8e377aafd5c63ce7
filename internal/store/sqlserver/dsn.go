package sqlserver

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"tieline/internal/fault"
	"tieline/internal/store/hosts"
)

// dialTimeout bounds the making of a network connection, loginTimeout all that
// leads to one that works, where the URL gives no "dial timeout" and no
// "connection timeout".
const (
	dialTimeout  = 1500 * time.Millisecond
	loginTimeout = 5 * time.Second
)

// example is how a URL is written, for people.
const example = "sqlserver://user:password@host:1433?database=tieline"

// Config reads a URL of the form "sqlserver://user:password@host:1433?database=name".
// Its parameters are the driver's: encrypt, TrustServerCertificate, certificate,
// hostNameInCertificate, failoverpartner, protocol and so on. Without a user the
// process's own Windows account logs in, on Windows. The error is fault.Invalid
// and shows no password.
func Config(dsn string) (msdsn.Config, error) {
	// url.Parse's errors, and the driver's of the same text, show a part of the
	// URL, which may be one of the password.
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "sqlserver" || u.Host == "" {
		return msdsn.Config{}, fault.New(fault.Invalid, "the database URL is not a SQL Server URL").
			WithNext("write it as " + example + `; in a password, write "/" as %2F and "@" as %40`)
	}
	c, err := msdsn.Parse(dsn)
	if err != nil {
		return msdsn.Config{}, fault.Wrap(fault.Invalid, err, "the database URL of SQL Server has a setting that cannot be used: "+err.Error())
	}
	if c.Database == "" {
		return msdsn.Config{}, fault.New(fault.Invalid, "the database URL of SQL Server names no database").
			WithNext("write it as " + example)
	}
	if c.ReadOnlyIntent {
		return msdsn.Config{}, fault.New(fault.Invalid, "the database URL asks for a read-only replica, and Tieline writes").
			WithNext("take ApplicationIntent=ReadOnly out of it")
	}
	if c.Parameters[msdsn.AppName] == "" {
		c.AppName = "tieline"
	}
	if c.Parameters[msdsn.DialTimeout] == "" {
		c.DialTimeout = dialTimeout
	}
	// A repeated statement of ours is always one that the server never got.
	c.DisableRetry = false
	return c, nil
}

// loginWithin is how long the making of a connection may take. The driver's own
// "connection timeout" would end every statement that waits longer for its answer.
func loginWithin(c *msdsn.Config) time.Duration {
	within := loginTimeout
	if c.ConnTimeout > 0 {
		within = c.ConnTimeout
	}
	c.ConnTimeout = 0
	return max(within, c.DialTimeout)
}

// where names the database for people, without credentials.
func where(c msdsn.Config) string {
	host := c.Host
	switch {
	case c.Port != 0:
		host += ":" + strconv.FormatUint(c.Port, 10)
	case c.Instance != "":
		host += `\` + c.Instance
	}
	return fmt.Sprintf("sqlserver://%s/%s", host, c.Database)
}

// unreachable says why a first connection failed and what to do about it.
func unreachable(err error, c msdsn.Config) error {
	text := err.Error()
	cause, _, _ := strings.Cut(text, "\n")
	f := fault.Wrap(fault.Unavailable, err, "the database "+where(c)+" cannot be reached: "+cause)
	switch {
	case strings.Contains(text, "x509:") || strings.Contains(text, "server certificate"):
		return fault.Wrap(fault.Unavailable, err, "the certificate of "+where(c)+" is not trusted: "+after(text, "x509: ")).
			WithNext("add certificate=/path/ca.pem (and hostNameInCertificate=name) to the URL, or TrustServerCertificate=true where the network is trusted")
	case strings.Contains(text, "does not support encryption"):
		return f.WithNext("the URL demands encrypt=true: configure a certificate on the server, or use encrypt=disable where the network is trusted")
	case strings.Contains(text, "TLS Handshake failed") || strings.Contains(text, "tls:"):
		return f.WithNext("no TLS connection can be agreed on: look at encrypt and tlsmin in the URL, and at the protocols the server offers")
	}
	switch number(err) {
	case 18456, 18452, 18486, 18487, 18488:
		return f.WithNext("the login was refused: check user and password; a Windows account is written DOMAIN%5Cuser")
	case 4060, 911, 916:
		return f.WithNext("the database " + c.Database + " does not exist, or its name or the login's access to it is wrong; create it and give the login the role db_owner")
	}
	why, next := hosts.Why(err, "SQL Server", foreign)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		next += "; in SQL Server's network configuration TCP/IP must be enabled"
	case why == "":
		return f.WithNext("look at the host, the port and the server's network protocols; TCP/IP must be enabled")
	}
	return fault.Wrap(fault.Unavailable, err, "the database "+where(c)+" cannot be reached: "+why).WithNext(next)
}

// foreign reports whether what answered speaks another protocol, or hung up before
// it said what it is. The driver tells most of it as text alone.
func foreign(err error) bool {
	var stream mssql.StreamError
	if errors.As(err, &stream) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	for _, text := range []string{"packet", "PRELOGIN", "prelogin", "first record does not look like a TLS handshake"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// after returns what stands behind the last occurrence of a mark, else all.
func after(text, mark string) string {
	if at := strings.LastIndex(text, mark); at >= 0 {
		return text[at+len(mark):]
	}
	return text
}
