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

// TestStatementsDoNotGrow walks every page of the route table, and shows that
// none asks the database per row or grows heavy: a thousand connectors and 20,000
// links cost as many readings as one of each.
func TestStatementsDoNotGrow(t *testing.T) {
	few, many := newBench(t), newBench(t)
	few.connector()
	few.parked(1)
	many.many(1000, 20_000)
	many.parked(60)
	for _, b := range []*bench{few, many} {
		b.paths = b.walk()
	}
	for pattern := range few.paths {
		for _, b := range []*bench{few, many} {
			b.patiently(b.paths[pattern]) // what is asked once per version is asked here
			b.counted.n.Store(0)
			if page := b.get(b.paths[pattern], http.StatusOK); b.weight(page) > heaviest {
				t.Errorf("%s weighs %d bytes with its assets, %d without", pattern, b.weight(page), len(page))
			}
		}
		if f, m := few.counted.n.Load(), many.counted.n.Load(); f != m || m > 12 {
			t.Errorf("%s costs %d readings with one connector, %d with a thousand", pattern, f, m)
		}
	}
	if len(few.paths) < 20 {
		t.Errorf("%d pages were walked: not all", len(few.paths))
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
