package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tieline/internal/alert"
)

// heaviest is what a page may weigh, in bytes.
const heaviest = 100_000

// overviewPages are the pages that show many things at once.
var overviewPages = []string{"/", "/?show=attention", "/connectors/desk", "/servers", "/history", "/connectors/desk/history"}

// mostStatements is how many SELECTs a page may cost, with those within others: a
// reading of the whole group has 37, and asking who may be Active takes two.
const mostStatements = 100

// TestStatementsDoNotGrow walks every page of the route table, and shows that
// none asks the database per row or grows heavy: a thousand connectors, 20,000
// links and 100 parked ones cost as many statements as one connector and ten.
func TestStatementsDoNotGrow(t *testing.T) {
	few, many := newBench(t), newBench(t)
	few.connector()
	few.parked(10)
	many.many(1000, 20_000)
	many.parked(100)
	for _, b := range []*bench{few, many} {
		b.paths = b.walk()
	}
	counted := int64(0)
	for pattern := range few.paths {
		for _, b := range []*bench{few, many} {
			if page := b.patiently(b.paths[pattern]); b.weight(page) > heaviest {
				t.Errorf("%s weighs %d bytes with its assets, %d without", pattern, b.weight(page), len(page))
			}
		}
		f, m := few.statements(few.paths[pattern]), many.statements(many.paths[pattern])
		counted += f
		if f != m || m > mostStatements {
			t.Errorf("%s costs %d statements with one connector, %d with a thousand", pattern, f, m)
		}
	}
	if len(few.paths) < 20 || counted < 20 {
		t.Errorf("%d pages were walked, and %d statements counted: not all", len(few.paths), counted)
	}
}

// parked raises alerts whose links are parked.
func (b *bench) parked(n int) {
	b.Helper()
	b.raise(make([]alert.Content, n)...)
	b.sql(`UPDATE link SET parked = 'refused: no', due_at = NULL WHERE connector = 'desk'`)
}

// weight is a page's with all that it loads, in bytes.
func (b *bench) weight(page string) int {
	weight := len(page)
	for _, part := range strings.Split(page, `"`) {
		if strings.HasPrefix(part, "/assets/") {
			weight += len(b.get(part, http.StatusOK))
		}
	}
	return weight
}

// TestPagesStayLight weighs pages of a thousand connectors.
func TestPagesStayLight(t *testing.T) {
	b := newBench(t)
	b.many(1000, 10_000)
	for _, path := range overviewPages {
		page := b.patiently(path)
		if weight := b.weight(page); weight > heaviest {
			t.Errorf("%s weighs %d bytes with its assets, %d without", path, weight, len(page))
		}
	}
}

// patiently gets a page, again where a busy machine made the database too slow
// for a person to wait for.
func (b *bench) patiently(path string) string {
	b.Helper()
	for range 20 {
		w := httptest.NewRecorder()
		if b.mux.ServeHTTP(w, b.request(http.MethodGet, path, nil)); w.Code == http.StatusOK {
			return w.Body.String()
		}
	}
	return b.get(path, http.StatusOK)
}
