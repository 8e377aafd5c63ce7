package config

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"tieline/internal/secret"
)

// DefaultListen is where a server listens unless told otherwise: this machine only.
const DefaultListen = "127.0.0.1:8642"

// Config is one server's settings.
type Config struct {
	Server           string   // name in the management group; default the host's
	Listen           string   // host:port for intake, health and metrics
	Advertise        string   // URL by which peers reach this server; derived from Listen when empty
	DataDir          string   // embedded database, inbox and outbox of the first connector
	Database         Database // default: SQLite in DataDir
	ManagementGroup  string   // must be the database's
	GroupNamed       bool     // whether ManagementGroup was told, and is not just the default
	HighAvailability bool     // chosen at set-up: whether other servers may serve the same connectors
	Connectors       []string // the connectors this server serves; empty = all
	Log              Log
	Console          Console
	OIDC             OIDC
}

// Database says which database the management group shares.
type Database struct {
	URL      secret.String // "sqlite:/path", or "postgres:", "mysql:", "mariadb:" or "sqlserver:" and "//user:password@host/name"
	Password secret.Ref    // put into the URL at use; better than a password inside it
	Migrate  bool          // bring an older schema up to date at start; always so for the embedded database
}

// Log says how a server logs, to standard error.
type Log struct {
	Level  string // "debug", "info", "warn", "error"
	Format string // "text", "json"
}

// Default returns the settings of a server that was told nothing.
func Default() Config {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return Config{
		Server:          ServerName(name),
		Listen:          DefaultListen,
		DataDir:         "tieline-data",
		ManagementGroup: "default",
		Log:             Log{Level: "info", Format: "text"},
		OIDC:            defaultOIDC(),
	}
}

// ServerName makes a host name a valid server name: its first label in lower case.
func ServerName(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(host), ".")
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	if clean = strings.Trim(clean, "-"); clean == "" {
		return "localhost"
	}
	return clean
}

// Embedded reports whether the database is the default one, SQLite in the data directory.
func (c Config) Embedded() bool { return c.Database.URL.IsZero() }

// DatabaseFile is where the embedded database lies.
func (c Config) DatabaseFile() string { return filepath.Join(c.DataDir, "tieline.db") }

// DatabaseURL returns the URL to open, with the password filled in.
func (c Config) DatabaseURL() (secret.String, error) {
	if c.Embedded() {
		return secret.New("sqlite:" + c.DatabaseFile()), nil
	}
	if c.Database.Password == "" {
		return c.Database.URL, nil
	}
	password, err := c.Database.Password.Resolve()
	if err != nil {
		return secret.String{}, err
	}
	u, err := url.Parse(c.Database.URL.Reveal())
	if err != nil {
		return secret.String{}, errDatabaseURL
	}
	u.User = url.UserPassword(u.User.Username(), password.Reveal())
	return secret.New(u.String()), nil
}

// DatabaseText names the database without its password, for people and logs.
func (c Config) DatabaseText() string {
	if c.Embedded() {
		return "sqlite:" + c.DatabaseFile()
	}
	u, err := url.Parse(c.Database.URL.Reveal())
	if err != nil {
		return "[unreadable database URL]"
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// DatabasePlace names the database for people who have not signed in: which engine,
// where and which, without a user or any other setting.
func (c Config) DatabasePlace() string {
	if c.Embedded() {
		return "sqlite"
	}
	u, err := url.Parse(c.Database.URL.Reveal())
	if err != nil {
		return "[unreadable database URL]"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// MigrateAtStart reports whether an older schema is brought up to date at start.
func (c Config) MigrateAtStart() bool { return c.Embedded() || c.Database.Migrate }

// AdvertiseFor returns the URL to publish for peers, given the address really
// listened on (the port may have been chosen by the system).
func (c Config) AdvertiseFor(listening string) string {
	if c.Advertise != "" {
		return strings.TrimSuffix(c.Advertise, "/")
	}
	return "http://" + Reachable(listening)
}

// Reachable replaces an unspecified host ("0.0.0.0", "::") by this host's name.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return net.JoinHostPort(name, port)
}
