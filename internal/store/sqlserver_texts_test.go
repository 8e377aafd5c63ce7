package store

import (
	"regexp"
	"strings"
	"testing"

	"tieline/internal/store/engine"
	"tieline/internal/store/sqlserver"
)

// Statements that SQL Server has of its own must answer, and write, the columns
// that the store reads and means: nothing here runs them.

func TestSQLServerAnswersTheStoresColumns(t *testing.T) {
	s := newTexts(sqlserver.Dialect())
	for _, c := range []struct{ text, table, columns string }{
		{s.lockLinks.Text, "link", linkColumns}, {s.detail, "", linkColumns},
		{s.latest.Text, "alert", alertColumns}, {s.lockAlerts.Text, "alert", alertColumns},
	} {
		want := oneSpace(c.columns)
		if c.table != "" {
			want = strings.ReplaceAll(want, c.table+".", "inserted.")
		}
		if !strings.Contains(oneSpace(c.text), want) {
			t.Errorf("the columns %s are not answered in their order by\n%s", want, c.text)
		}
	}
}

var inserting = regexp.MustCompile(`(?s)INSERT INTO \w+ \(([^)]*)\)\s*(?:OUTPUT [\w.]+\s*)?SELECT (.*?)\n?\s*(?:FROM input|FROM lease WHERE|WHERE NOT EXISTS|FROM history)`)

func TestSQLServerInsertsWhatItNames(t *testing.T) {
	s := newTexts(sqlserver.Dialect())
	for _, text := range []string{
		s.newAlerts.Text, s.wantLinks.Text, s.addLinks.Text, s.events.Text, s.skipEvents.Text, s.addNews.Text,
		s.makeBookmark, s.addLease, s.saveLease,
	} {
		found := inserting.FindStringSubmatch(text)
		if found == nil {
			t.Errorf("no INSERT is found in\n%s", text)
			continue
		}
		if names, values := items(found[1]), items(found[2]); names != values {
			t.Errorf("%d columns get %d values in\n%s", names, values, text)
		}
	}
}

// items counts what commas part outside of parentheses and strings.
func items(list string) int {
	n, depth, quoted := 1, 0, false
	for _, r := range list {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			n++
		}
	}
	return n
}

// TestSQLServerSetsWhatTheStoreSets compares the columns that updates of both set.
func TestSQLServerSetsWhatTheStoreSets(t *testing.T) {
	own, shared := newTexts(sqlserver.Dialect()), map[string]string{
		"grown alerts": grownAlertsText, "seen alerts": seenAlertsText, "evaluated": evaluatedText, "tell links": tellLinksText,
		"write links": writeLinksText, "record": recordText, "expire": expireText, "unpark": unparkText,
	}
	for name, text := range map[string]string{
		"grown alerts": own.grownAlerts.Text, "seen alerts": own.seenAlerts.Text, "evaluated": own.evaluated.Text,
		"tell links": own.tellLinks.Text, "write links": own.writeLinks.Text, "record": own.record.Text,
		"expire": own.expire, "unpark": own.unpark,
	} {
		if got, want := sets(text), sets(shared[name]); got != want {
			t.Errorf("%s sets %s, the store's %s", name, got, want)
		}
	}
}

// sets lists the columns an UPDATE sets, in their order.
func sets(text string) string {
	_, list, _ := strings.Cut(text, " SET ")
	end := regexp.MustCompile(`\n(FROM|WHERE) `).FindStringIndex(list)
	if end == nil {
		end = []int{strings.Index(list, " FROM input")}
	}
	var names []string
	depth, from := 0, 0
	list = list[:end[0]] + ","
	for i, r := range list {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			name, _, _ := strings.Cut(list[from:i], "=")
			names, from = append(names, strings.TrimSpace(name)), i+1
		}
	}
	return strings.Join(names, " ")
}

func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestSQLServerAsksWhereTheGroupIs: the statements that write an alert compare every
// mark, as they do on the other engines.
func TestSQLServerAsksWhereTheGroupIs(t *testing.T) {
	for _, mark := range []string{markMoving, markMoved, markCopy, markEnding} {
		ends := " [" + mark[strings.LastIndex(mark, "[")+1:]
		if pattern := "LIKE '%" + strings.ReplaceAll(ends, "[", "![") + "' ESCAPE '!'"; !strings.Contains(engine.InService, pattern) {
			t.Errorf("the mark %q is not compared: %s", mark, engine.InService)
		}
	}
	own := newTexts(sqlserver.Dialect())
	want := strings.NewReplacer("LIKE '", "LIKE N'", "ESCAPE '", "ESCAPE N'", "management_group WHERE", "management_group WITH (REPEATABLEREAD) WHERE").Replace(engine.InService)
	for name, text := range map[string]string{"new alerts": own.newAlerts.Text, "grown alerts": own.grownAlerts.Text, "seen alerts": own.seenAlerts.Text} {
		if !strings.Contains(oneSpace(text), oneSpace(want)) {
			t.Errorf("%s does not ask %s in\n%s", name, want, text)
		}
	}
	if !strings.Contains(own.groupName, "WITH (REPEATABLEREAD)") {
		t.Errorf("other transactions do not keep the mark out: %s", own.groupName)
	}
}
