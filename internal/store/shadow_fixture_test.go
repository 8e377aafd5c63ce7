package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"tieline/internal/store/engine"
	"tieline/internal/store/sqlite"
	"tieline/internal/store/sqlserver"
)

// A shadow is a SQLite database to which the store speaks the language of SQL
// Server: it is told the statements that SQL Server would get, notes them, and
// carries out what the store has for SQLite in their place. So the whole suite
// runs, and every statement of it can be looked at, where no SQL Server is.

// ShadowFile is the name of a database file that is opened as a shadow.
const ShadowFile = "shadow.db"

// Told is one statement as SQL Server would get it.
type Told struct {
	Text string
	Args int
}

// Shadow notes what was told to all shadows of the process.
type Shadow struct {
	mu   sync.Mutex
	told map[Told]bool
}

// NewShadow lets Open make shadows from now on.
func NewShadow() *Shadow {
	s := &Shadow{told: map[Told]bool{}}
	openers = append([]opener{{
		knows: func(url string) bool { return isSQLite(url) && strings.HasSuffix(url, "/"+ShadowFile) },
		open:  s.open,
	}}, openers...)
	return s
}

// Told returns what was told so far.
func (s *Shadow) Told() []Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Told
	for t := range s.told {
		all = append(all, t)
	}
	return all
}

func (s *Shadow) note(text string, args int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[Told{text, args}] = true
}

func (s *Shadow) open(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	e, err := openSQLite(ctx, url, o)
	if err != nil {
		return nil, err
	}
	dialect := sqlserver.Dialect()
	path := strings.TrimPrefix(url, "sqlite:")
	pairs := pairsOf(e, dialect)
	// Nobody cuts the power: not waiting for the disk makes the suite several times
	// as fast.
	dsn := sqlite.DSN(path) + "&_pragma=synchronous(OFF)"
	write := shadowPool(s, e.Write.Driver(), dsn, pairs)
	write.SetMaxOpenConns(1)
	read := shadowPool(s, e.Write.Driver(), dsn, pairs)
	below, closeBelow := *e, e.Close
	e.Write, e.Read = write, read
	e.Close = func() error {
		_, _ = write.Close(), read.Close()
		return closeBelow()
	}
	e.Own, e.Reserved = dialect.Own, dialect.Reserved
	e.Rows = func(columns []engine.Column, into, rest string) string {
		text := dialect.Rows(columns, into, rest)
		pairs.add(text, below.Rows(columns, into, rest))
		return text
	}
	e.Statements.Claim, e.Statements.Slice, e.Statements.HasSchema = dialect.Statements.Claim, dialect.Statements.Slice, dialect.Statements.HasSchema
	e.Run = func(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
		s.note(b.Text, 1)
		return below.Run(ctx, tx, &engine.Batch{Columns: b.Columns, Text: pairs.of(b.Text)}, rows)
	}
	e.Each = func(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) error {
		s.note(b.Text, 1)
		return below.Each(ctx, tx, &engine.Batch{Columns: b.Columns, Text: pairs.of(b.Text)}, rows, scan)
	}
	return e, nil
}

// pairs says what SQLite does for each statement that SQL Server has of its own.
func pairsOf(sqlite, dialect *engine.Engine) *pairs {
	p := &pairs{below: map[string]string{}}
	p.add(dialect.Statements.Claim, sqlite.Statements.Claim)
	p.add(dialect.Statements.HasSchema, sqlite.Statements.HasSchema)
	here, there := reflect.ValueOf(newTexts(dialect)), reflect.ValueOf(newTexts(sqlite))
	for i := range here.NumField() {
		if here.Field(i).Kind() == reflect.String {
			p.add(here.Field(i).String(), there.Field(i).String())
			continue
		}
		// The fields are not exported, and so are the values they point to.
		text := func(v reflect.Value) string { return v.Field(i).Elem().FieldByName("Text").String() }
		p.add(text(here), text(there))
	}
	return p
}

// pairs are SQLite's statements by SQL Server's.
type pairs struct {
	mu    sync.Mutex
	below map[string]string
}

func (p *pairs) add(own, below string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.below[own] = below
}

// of returns what SQLite does for a text, which it may begin with.
func (p *pairs) of(text string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if below, ok := p.below[text]; ok {
		return below
	}
	for own, below := range p.below {
		if len(own) > 20 && strings.HasPrefix(text, own) { // a list of ids follows, perhaps an end
			return below + p.end(strings.TrimPrefix(text, own))
		}
	}
	return text
}

func (p *pairs) end(text string) string {
	for own, below := range p.below {
		if len(own) > 20 && strings.HasSuffix(text, own) {
			return strings.TrimSuffix(text, own) + below
		}
	}
	return text
}

// is reports whether a text is SQLite's already.
func (p *pairs) is(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for own, below := range p.below {
		if text == below && own != below {
			return true
		}
	}
	return false
}

// shadowConn notes and replaces statements on their way to SQLite.
type shadowConn struct {
	driver.Conn
	shadow *Shadow
	pairs  *pairs
}

type shadowConnector struct {
	driver driver.Driver
	dsn    string
	make   func(driver.Conn) driver.Conn
}

func (c *shadowConnector) Driver() driver.Driver { return c.driver }
func (c *shadowConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return c.make(conn), nil
}

func shadowPool(s *Shadow, d driver.Driver, dsn string, pairs *pairs) *sql.DB {
	return sql.OpenDB(&shadowConnector{driver: d, dsn: dsn, make: func(c driver.Conn) driver.Conn {
		return &shadowConn{Conn: c, shadow: s, pairs: pairs}
	}})
}

func (c *shadowConn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

func (c *shadowConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	prepare := c.Conn.(driver.ConnPrepareContext)
	if c.pairs.is(text) || ddl.MatchString(text) || ofGoose.MatchString(text) {
		return prepare.PrepareContext(ctx, text) // a batch, noted by Run; or what goose says
	}
	c.shadow.note(text, strings.Count(text, "$"))
	return prepare.PrepareContext(ctx, c.replace(text))
}

var (
	ddl       = regexp.MustCompile(`^\s*(--[^\n]*\n\s*)*(CREATE|INSERT INTO management_group|PRAGMA|SELECT json_object)`)
	ofGoose   = regexp.MustCompile(`^(INSERT INTO|DELETE FROM|SELECT tstamp|SELECT version_id).* goose_db_version\b`)
	anyOrder  = regexp.MustCompile(`\nORDER BY \(SELECT NULL\) OFFSET 0 ROWS FETCH NEXT (\S+) ROWS ONLY`)
	firstRows = regexp.MustCompile(`OFFSET 0 ROWS FETCH NEXT (\S+) ROWS ONLY`)
	someRows  = regexp.MustCompile(`OFFSET (\S+) ROWS FETCH NEXT (\S+) ROWS ONLY`)
)

func (c *shadowConn) replace(text string) string {
	text = c.pairs.of(text)
	text = anyOrder.ReplaceAllString(text, " LIMIT $1")
	text = firstRows.ReplaceAllString(text, "LIMIT $1")
	return someRows.ReplaceAllString(text, "LIMIT $2 OFFSET $1")
}

func (c *shadowConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}
