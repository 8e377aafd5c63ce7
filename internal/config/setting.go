package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/secret"
)

// Setting is one setting's place in the file, the environment and the flags.
type Setting struct {
	Key   string // YAML path, also what a problem is reported under
	Flag  string // "" = no flag
	Usage string // one line, for the flag's help
	Bool  bool
	List  bool // several values, separated by commas
	set   func(*Config, string) error
	get   func(Config) string // for people; without secrets
}

// Value is what a setting is, for people.
type Value struct {
	Setting
	Text string
}

// Values are all settings with what they are, in the sample file's order. The
// database's password is left out.
func (c Config) Values() []Value {
	var all []Value
	for _, s := range Settings() {
		all = append(all, Value{s, s.get(c)})
	}
	return all
}

// Env is the setting's environment variable.
func (s Setting) Env() string {
	return "TIELINE_" + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

var errDatabaseURL = errors.New(`must be "sqlite:/path/tieline.db", "postgres://user@host:5432/name", ` +
	`"mysql://user@host:3306/name" or "sqlserver://user@host:1433?database=name"`)

// errDatabaseEscape says more of a URL that cannot be read: most often it is a
// password as it was typed that cannot stand in one.
var errDatabaseEscape = fmt.Errorf(`%w; inside a password "%%" is written %%25, "/" %%2F, "?" %%3F, "#" %%23 and "@" %%40`, errDatabaseURL)

// Settings lists every setting there is, in the order the sample file has them.
func Settings() []Setting {
	return append([]Setting{
		{
			Key: "server", Flag: "server", Usage: "this server's name in the management group (default: the host's)",
			set: setServer, get: func(c Config) string { return c.Server },
		},
		{
			Key: "listen", Flag: "listen", Usage: "host:port for intake, health and metrics",
			set: setListen, get: func(c Config) string { return c.Listen },
		},
		{
			Key: "advertise", Flag: "advertise", Usage: "URL by which peers reach this server (default: from --listen)",
			set: setAdvertise, get: func(c Config) string { return c.AdvertiseFor(c.Listen) },
		},
		{
			Key: "data_dir", Flag: "data-dir", Usage: "directory of the embedded database and the first connector's files",
			set: setDataDir, get: func(c Config) string { return c.DataDir },
		},
		{
			Key: "database.url", Flag: "database", Usage: "database the management group shares (default: SQLite in the data directory)",
			set: setDatabase, get: Config.DatabaseText,
		},
		{
			Key: "database.password", Usage: `its password, by reference: "env:NAME" or "file:/path"`,
			set: setPassword, get: func(c Config) string { return string(c.Database.Password) },
		},
		{
			Key: "database.migrate", Flag: "migrate", Bool: true, Usage: "bring an older schema up to date at start",
			set: setMigrate, get: func(c Config) string { return strconv.FormatBool(c.MigrateAtStart()) },
		},
		{
			Key: "management_group", Flag: "management-group", Usage: "management group; must be the database's",
			set: setGroup, get: func(c Config) string { return c.ManagementGroup },
		},
		{
			Key: "high_availability", Flag: "high-availability", Bool: true, Usage: "let other servers serve the same connectors; chosen when a server is set up",
			set: setHA, get: func(c Config) string { return strconv.FormatBool(c.HighAvailability) },
		},
		{
			Key: "connectors", Flag: "connectors", List: true, Usage: "connectors to serve, separated by commas (default: all)",
			set: setConnectors, get: func(c Config) string { return strings.Join(c.Connectors, ",") },
		},
		{
			Key: "log.level", Flag: "log-level", Usage: "debug, info, warn or error",
			set: setLogLevel, get: func(c Config) string { return c.Log.Level },
		},
		{
			Key: "log.format", Flag: "log-format", Usage: "text or json",
			set: setLogFormat, get: func(c Config) string { return c.Log.Format },
		},
	}, consoleSettings()...)
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func setServer(c *Config, v string) error {
	if !nameForm.MatchString(v) {
		return errors.New(`must be 1 to 63 lower-case letters, digits and "-", as a host name`)
	}
	c.Server = v
	return nil
}

func setListen(c *Config, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return errors.New(`must be host:port, as "127.0.0.1:8642" or ":8642"`)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port must be a number from 0 (any free one) to 65535")
	} else if n == 0 && port != "0" {
		return errors.New("the port must be written plainly")
	}
	c.Listen = v
	return nil
}

func setAdvertise(c *Config, v string) error {
	u, err := url.Parse(v)
	if v != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		return errors.New(`must be a URL, as "http://server1.example:8642"`)
	}
	c.Advertise = v
	return nil
}

func setDataDir(c *Config, v string) error {
	if v == "" {
		return errors.New("must name a directory")
	}
	c.DataDir = v
	return nil
}

func setDatabase(c *Config, v string) error {
	// The value may carry a password, and so may url.Parse's error: neither is repeated.
	u, err := url.Parse(v)
	if err != nil {
		return errDatabaseEscape
	}
	switch u.Scheme {
	case "sqlite":
		if u.Opaque == "" && u.Path == "" {
			return errDatabaseURL
		}
	case "postgres", "postgresql":
		if u.Host == "" && !u.Query().Has("host") {
			return errDatabaseURL
		}
	case "sqlserver":
		if u.Host == "" || !hasParameter(u.Query(), "database") {
			return errDatabaseURL
		}
	case "mysql", "mariadb":
		if u.Host == "" && !u.Query().Has("socket") {
			return errDatabaseURL
		}
	default:
		return errDatabaseURL
	}
	c.Database.URL = secret.New(v)
	return nil
}

// hasParameter reports whether a URL has a parameter, however it is capitalised.
func hasParameter(q url.Values, name string) bool {
	for key, values := range q {
		if strings.EqualFold(key, name) && values[0] != "" {
			return true
		}
	}
	return false
}

// CheckDatabase reports what is wrong with a database URL, without repeating it.
func CheckDatabase(url string) error { return setDatabase(&Config{}, url) }

func setPassword(c *Config, v string) error {
	c.Database.Password = secret.Ref(v)
	return c.Database.Password.Check()
}

func setMigrate(c *Config, v string) error { return setBool(&c.Database.Migrate, v) }

func setHA(c *Config, v string) error { return setBool(&c.HighAvailability, v) }

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return errors.New("must be true or false")
	}
	*to = b
	return nil
}

func setGroup(c *Config, v string) error {
	if v == "" || len(v) > 100 {
		return errors.New("must be a name of 1 to 100 bytes")
	}
	c.ManagementGroup, c.GroupNamed = v, true
	return nil
}

func setConnectors(c *Config, v string) error {
	c.Connectors = nil
	for name := range strings.SplitSeq(v, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !nameForm.MatchString(name) {
			return errors.New(strconv.Quote(name) + " is no connector's name")
		}
		if slices.Contains(c.Connectors, name) {
			return errors.New(strconv.Quote(name) + " is there twice")
		}
		c.Connectors = append(c.Connectors, name)
	}
	return nil
}

func setLogLevel(c *Config, v string) error {
	return setOneOf(&c.Log.Level, v, "debug", "info", "warn", "error")
}

func setLogFormat(c *Config, v string) error { return setOneOf(&c.Log.Format, v, "text", "json") }

func setOneOf(to *string, v string, allowed ...string) error {
	if !slices.Contains(allowed, v) {
		return errors.New("must be one of " + strings.Join(allowed, ", "))
	}
	*to = v
	return nil
}
