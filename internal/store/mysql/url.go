package mysql

import (
	"net"
	"net/url"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"tieline/internal/fault"
)

// dialTimeout bounds the wait for a host where the URL gives no timeout: whoever
// pushes an alert hears within 2 s that the database is away.
const dialTimeout = 1500 * time.Millisecond

// IsURL reports whether a URL names this engine.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "mysql://") || strings.HasPrefix(text, "mariadb://")
}

// Config reads a URL, "mysql://user:password@host:port/database?tls=true" or the
// same with "mariadb://", and adds what every connection of ours has. There may
// be several hosts, "host1:port,host2:port": a connection is made to one that takes
// writes. What follows "?" are the driver's parameters; "socket"
// names a unix socket instead of host and port.
func Config(text string) (*driver.Config, error) {
	u, err := url.Parse(text)
	if err != nil || !IsURL(text) {
		return nil, wrongURL("it cannot be read") // the parser's error shows the password
	}
	database := strings.TrimPrefix(u.Path, "/")
	if u.User == nil || u.User.Username() == "" || database == "" || strings.Contains(database, "/") {
		return nil, wrongURL("it needs a user and a database")
	}
	query := u.Query()
	socket := query.Get("socket")
	query.Del("socket")
	c, err := driver.ParseDSN("/?" + query.Encode())
	if err != nil {
		return nil, wrongURL(err.Error())
	}
	c.User, c.DBName = u.User.Username(), database
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "unix", socket
	if socket == "" {
		hosts, err := withPorts(u.Host)
		if err != nil {
			return nil, err
		}
		c.Net, c.Addr = "tcp", strings.Join(hosts, ",")
	}
	ours(c)
	return c, nil
}

// withPorts are the hosts of a list, each with its port.
func withPorts(list string) ([]string, error) {
	hosts := strings.Split(list, ",")
	for i, host := range hosts {
		u := url.URL{Host: host}
		switch name, port := u.Hostname(), u.Port(); {
		case name == "":
			return nil, wrongURL("it names no host")
		case port == "":
			hosts[i] = net.JoinHostPort(name, "3306")
		}
	}
	return hosts, nil
}

// loginWithin is how long the making of a connection may take: as long again as
// the wait for the host, for some answers of a server that has much to do.
func loginWithin(c *driver.Config) time.Duration { return 2 * c.Timeout }

// eachHost returns a configuration for each host of the URL, in its order.
func eachHost(c *driver.Config) []*driver.Config {
	if c.Net != "tcp" {
		return []*driver.Config{c}
	}
	var all []*driver.Config
	for host := range strings.SplitSeq(c.Addr, ",") {
		one := c.Clone()
		one.Addr = host
		all = append(all, one)
	}
	return all
}

// ours sets what the engine relies on.
func ours(c *driver.Config) {
	if c.Timeout == 0 || c.Timeout > time.Minute {
		c.Timeout = dialTimeout
	}
	c.Logger = &driver.NopLogger{} // what it would say, errors say
	// A statement is one round trip: the driver writes the arguments into it.
	c.InterpolateParams = true
	// A statement that finds nothing to change has still found its rows.
	c.ClientFoundRows = true
	// Some statements of ours are several, so that nothing is waited for in between.
	c.MultiStatements = true
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3,
	}}).DialContext
}

func wrongURL(why string) error {
	return fault.New(fault.Invalid, "the database URL is not a MariaDB or MySQL URL: "+why).
		WithNext("write it as mysql://user:password@host:3306/database")
}
