// Package nudge wakes the servers of a management group over HTTP, for databases
// that carry no wake-ups between processes. A nudge names topics to look at and
// nothing else; whoever hears it reads the database. It is authenticated with
// the group's key, which never goes over the wire. One that is lost, or sent
// again by somebody who overheard it, costs a little time.
package nudge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"tieline/internal/secret"
)

// Path is where a server takes nudges, and Pattern its route.
const (
	Path    = "/v1/nudge"
	Pattern = "POST " + Path
)

// header carries the authentication code of the body.
const header = "Tieline-Nudge"

// MaxLines bounds the topics of one nudge; a line has at most 200 bytes.
const (
	MaxLines = 1000
	maxBytes = 200 * MaxLines
)

// code authenticates a body.
func code(key secret.String, body string) []byte {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("tieline nudge\n" + body))
	return mac.Sum(nil)
}

// Handler takes nudges that were made with the key, and calls heard with their
// lines. It answers 204, 401 to any other request, and 413 to one too large.
func Handler(key secret.String, heard func(lines []string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
		if err != nil {
			http.Error(w, "a nudge has at most 1000 topics", http.StatusRequestEntityTooLarge)
			return
		}
		given, err := hex.DecodeString(r.Header.Get(header))
		if key.Reveal() == "" || err != nil || !hmac.Equal(given, code(key, string(body))) {
			http.Error(w, "not a server of this management group", http.StatusUnauthorized)
			return
		}
		heard(strings.FieldsFunc(string(body), func(r rune) bool { return r == '\n' }))
		w.WriteHeader(http.StatusNoContent)
	})
}
