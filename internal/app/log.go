package app

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
)

// promLog gives the metrics handler's complaints to the log.
type promLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (p promLog) Println(v ...any) { p.log.Warn("metrics are incomplete", "err", fmt.Sprint(v...)) }

// stray gives what was printed with the standard library's log to the log, one
// entry for each: net/http says there what it has nobody to return to.
type stray struct{ log *slog.Logger }

// Write implements io.Writer. log.Logger writes each entry at once.
func (s *stray) Write(text []byte) (int, error) {
	s.log.Warn("a library complains", "err", string(bytes.TrimSpace(text)))
	return len(text), nil
}

// errorLog is a server's http.Server.ErrorLog.
func errorLog(to *slog.Logger) *log.Logger { return log.New(&stray{to}, "", 0) }

// TakeStandardLog has what the whole process prints with the standard library's
// log, also by way of slog's default, go to a log, so that no line of another form
// is among its own. Call release when the log ends; it leaves alone what others
// set since.
func TakeStandardLog(to *slog.Logger) (release func()) {
	mine := &stray{to}
	log.SetFlags(0)
	log.SetOutput(mine)
	return func() {
		if log.Writer() == io.Writer(mine) {
			log.SetOutput(os.Stderr)
			log.SetFlags(log.LstdFlags)
		}
	}
}
