package param

import (
	"database/sql/driver"
	"strings"
	"testing"
)

func TestStatement(t *testing.T) {
	for _, c := range []struct{ text, question, at, order string }{
		{"SELECT 1", "SELECT 1", "SELECT 1", ""},
		{"SELECT ? FROM t", "SELECT ? FROM t", "SELECT ? FROM t", ""},
		{"a = $1 AND b = $2", "a = ? AND b = ?", "a = @p1 AND b = @p2", "1 2"},
		{"$2 $1 $2 $12", "? ? ? ?", "@p2 @p1 @p2 @p12", "2 1 2 12"},
		{"'$1' \"$1\" `$1` [$1] $1", "'$1' \"$1\" `$1` [$1] ?", "'$1' \"$1\" `$1` [$1] @p1", "1"},
		{"'it''s $1' = $1", "'it''s $1' = ?", "'it''s $1' = @p1", "1"},
		{"-- $1\n$1 /* $1 */", "-- $1\n? /* $1 */", "-- $1\n@p1 /* $1 */", "1"},
		{"'$[0]' $ $0 $x $", "'$[0]' $ $0 $x $", "'$[0]' $ $0 $x $", ""},
		{"$1 'open", "? 'open", "@p1 'open", "1"},
	} {
		if got := New(AtP).Statement(c.text); got.Text != c.at || got.order != nil {
			t.Errorf("%q became %q", c.text, got.Text)
		}
		got := New(Question).Statement(c.text)
		args, err := got.Args(values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"))
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		if got.order != nil {
			for _, a := range args {
				order = append(order, a.Value.(string))
			}
		}
		if got.Text != c.question || strings.Join(order, " ") != c.order {
			t.Errorf("%q became %q with the arguments %v", c.text, got.Text, order)
		}
	}
}

func TestArgumentsMustBeThere(t *testing.T) {
	if _, err := New(Question).Statement("SELECT $2").Args(values("1")); err == nil || !strings.Contains(err.Error(), "$2") {
		t.Errorf("a missing argument: %v", err)
	}
}

func TestSetKeepsStatements(t *testing.T) {
	s := New(Question)
	first, again := s.Statement("SELECT $1"), s.Statement("SELECT $1")
	if first != again {
		t.Error("a text was translated twice")
	}
	for n := range 2 * keep {
		s.Statement("SELECT $1 -- " + strings.Repeat("x", n))
	}
	if n := s.size.Load(); n != keep {
		t.Errorf("%d statements are kept", n)
	}
}

func values(texts ...string) []driver.NamedValue {
	var out []driver.NamedValue
	for i, s := range texts {
		out = append(out, driver.NamedValue{Ordinal: i + 1, Value: s})
	}
	return out
}
