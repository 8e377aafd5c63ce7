package tds

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// batch is a text of several statements, with its variables.
type batch struct {
	session *session
	ctx     context.Context //nolint:containedctx // of the request
	vars    map[string]any  // by name, with @: nil, int64 or string
	count   int64           // @@ROWCOUNT
	out     []byte
}

var (
	comments = regexp.MustCompile(`(?m)--[^\n]*$`)
	// What a heartbeat guards by TRY is told as its error here: a server may not
	// catch it.
	guarded = regexp.MustCompile(`(?s)BEGIN TRY(.*?)END TRY\s*BEGIN CATCH.*?END CATCH;`)
	block   = regexp.MustCompile(`(?s)\nIF (@\w+ > 0)\nBEGIN\n(.*)\nEND;\n`)
	// A DECLARE may stand before EXEC without ; between them.
	unended = regexp.MustCompile(`(DECLARE @\w+ int);?\n(EXEC )`)
)

func (b *batch) run(text string) error {
	text = comments.ReplaceAllString(text, "")
	text = guarded.ReplaceAllString(text, "$1")
	text = unended.ReplaceAllString(text, "$1;\n$2")
	text = block.ReplaceAllStringFunc(text, func(all string) string {
		m := block.FindStringSubmatch(all)
		var out strings.Builder
		for _, statement := range split(m[2], ';') {
			if statement = strings.TrimSpace(statement); statement != "" {
				out.WriteString("\nIF " + m[1] + " " + statement + ";")
			}
		}
		return out.String() + "\n"
	})
	for _, statement := range split(text, ';') {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		if err := b.statement(statement); err != nil {
			return err
		}
	}
	return nil
}

// forms are the statements that are carried out here, and not by PostgreSQL.
var forms = []struct {
	has *regexp.Regexp
	do  func(b *batch, m []string) error
}{
	{regexp.MustCompile(`(?s)^DECLARE @(\w+) TABLE \((.*)\)$`), (*batch).declareTable},
	{regexp.MustCompile(`(?s)^DECLARE (.*)$`), (*batch).declare},
	{regexp.MustCompile(`^EXEC (?:(@\w+) = )?sp_(get|release)applock @Resource = (@\w+|N'[^']*'), (?:@LockMode = N'(\w+)', )?` +
		`@LockOwner = N'Session'(?:, @LockTimeout = (\d+))?$`), (*batch).applock},
	{regexp.MustCompile(`(?s)^SET (@\w+) = (.*)$`), (*batch).set},
	{regexp.MustCompile(`^SET ([A-Z_]+)(?: (\w+))?`), (*batch).option},
	{regexp.MustCompile(`^(BEGIN|COMMIT) TRANSACTION$`), (*batch).transaction},
	{regexp.MustCompile(`(?s)^SELECT (@\w+ = .*)$`), (*batch).assign},
	{regexp.MustCompile(`^KILL (\d+)$`), (*batch).kill},
	{regexp.MustCompile(`(?s)^SELECT .*(?:\bsys\.|SERVERPROPERTY|HAS_PERMS_BY_NAME).*$`), (*batch).system},
}

var conditional = regexp.MustCompile(`(?s)^IF (.*?)\s+((?:INSERT|EXEC|SET|UPDATE|SELECT|DELETE)\b.*)$`)

func (b *batch) statement(text string) error {
	if err := b.session.server.refusal(text); err != nil {
		return err
	}
	if m := conditional.FindStringSubmatch(text); m != nil {
		v, err := b.value("CASE WHEN " + m[1] + " THEN 1 ELSE 0 END")
		if err != nil || v != int64(1) {
			return err
		}
		return b.statement(m[2])
	}
	for _, form := range forms {
		if m := form.has.FindStringSubmatch(text); m != nil {
			return form.do(b, m)
		}
	}
	r, err := b.query(text)
	if err != nil {
		return err
	}
	b.answer(r)
	return nil
}

func (b *batch) answer(r result) {
	b.count = r.count
	b.out = append(b.out, r.tokens()...)
}

func (b *batch) declareTable(m []string) error {
	return b.exec("DROP TABLE IF EXISTS pg_temp.v_"+m[1], "CREATE TEMP TABLE v_"+m[1]+" ("+typesOf(m[2])+")")
}

func (b *batch) exec(texts ...string) error {
	for _, text := range texts {
		if _, err := b.session.postgres.Exec(b.ctx, text); err != nil {
			return err
		}
	}
	return nil
}

var declaration = regexp.MustCompile(`(?s)^\s*(@\w+)\s+\w+(?:\(\w+\))?(?:\s*=\s*(.*))?$`)

func (b *batch) declare(m []string) error {
	for _, one := range split(m[1], ',') {
		d := declaration.FindStringSubmatch(one)
		if d == nil {
			return fmt.Errorf("declared is %q", one)
		}
		b.vars[d[1]] = nil
		if d[2] == "" {
			continue
		}
		if err := b.set([]string{"", d[1], d[2]}); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) set(m []string) (err error) {
	b.vars[m[1]], err = b.value(m[2])
	return err
}

// value is that of an expression.
func (b *batch) value(expression string) (any, error) {
	r, err := b.query("SELECT " + expression)
	if err != nil || len(r.rows) == 0 {
		return nil, err
	}
	return r.rows[0][0], nil
}

func (b *batch) option(m []string) error {
	switch m[1] {
	case "LOCK_TIMEOUT":
		return b.exec("SET lock_timeout = " + m[2])
	case "DEADLOCK_PRIORITY":
		return &failure{33557097, 16, "this setting is not known"}
	}
	return nil
}

func (b *batch) transaction(m []string) error { return b.exec(m[1]) }

// assign is SELECT @a = x, @b = y FROM ...: without a row all stays as it was.
func (b *batch) assign(m []string) error {
	items, tail := m[1], ""
	if from := outside(items, "FROM"); from >= 0 {
		items, tail = items[:from], items[from:]
	}
	var names, values []string
	for _, item := range split(items, ',') {
		name, value, _ := strings.Cut(item, "=")
		names, values = append(names, strings.TrimSpace(name)), append(values, value)
	}
	r, err := b.query("SELECT " + strings.Join(values, ",") + " " + tail)
	if err != nil {
		return err
	}
	b.count = r.count
	for i, name := range names {
		if len(r.rows) > 0 {
			b.vars[name] = r.rows[len(r.rows)-1][i]
		}
	}
	return nil
}

func (b *batch) kill(m []string) error {
	id, err := strconv.ParseInt(m[1], 10, 64)
	b.session.kill(id)
	return err
}

func (b *batch) applock(m []string) error {
	name := b.resource(m[3])
	var result int64
	if m[2] == "get" {
		limit, err := strconv.Atoi(m[5])
		if err != nil {
			return err
		}
		result = b.session.server.locks.get(b.ctx, b.session, name, m[4] == "Exclusive", time.Duration(limit)*time.Millisecond)
	} else {
		result = b.session.server.locks.release(b.session, name)
	}
	if m[1] != "" {
		b.vars[m[1]] = result
	}
	return nil
}

// resource is a lock's name: each database has its own.
func (b *batch) resource(text string) string {
	name, ok := b.vars[text].(string)
	if !ok {
		name = text
	}
	return b.session.database + "/" + name
}
