package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"

	driver "modernc.org/sqlite"

	"tieline/internal/store/sqlite"
)

// told counts the SELECTs that each database was told, by its file: SQLite reports
// them all when it is given a statement to run, also those within another,
// whichever method of the store the statement comes from.
var told sync.Map // string to *atomic.Int64

func init() {
	driver.RegisterConnectionHook(func(conn driver.ExecQuerierContext, dsn string) error {
		reporting, ok := conn.(driver.AuthorizerRegisterer)
		if !ok {
			return fmt.Errorf("%T does not report statements", conn)
		}
		n := toldTo(dsn)
		return reporting.RegisterAuthorizer(func(action driver.AuthorizerActionCode, _, _, _, _ string) driver.AuthorizerReturnCode {
			if action == driver.AuthSelect {
				n.Add(1)
			}
			return driver.AuthorizerOK
		})
	})
}

func toldTo(dsn string) *atomic.Int64 {
	file, _, _ := strings.Cut(dsn, "?")
	n, _ := told.LoadOrStore(file, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// statements returns how many SELECTs a page costs that was asked for before. The
// least of some answers counts: what a busy machine was too slow for is asked again.
func (b *bench) statements(path string) int64 {
	b.Helper()
	b.patiently(path) // what is asked once per version is asked here
	n, least := toldTo(sqlite.DSN(strings.TrimPrefix(b.url, "sqlite:"))), int64(-1)
	for answers, tries := 0, 0; answers < 3; tries++ {
		before, w := n.Load(), httptest.NewRecorder()
		b.mux.ServeHTTP(w, b.request(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			if tries > 20 {
				b.Fatalf("GET %s: %d", path, w.Code)
			}
			continue
		}
		answers++
		if cost := n.Load() - before; least < 0 || cost < least {
			least = cost
		}
	}
	return least
}
