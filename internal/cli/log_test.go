package cli

import (
	"encoding/json"
	"log"
	"strings"
	"testing"
)

// TestServersLogNothingButJSON: also what libraries print past the server's log.
func TestServersLogNothingButJSON(t *testing.T) {
	s := newSite(t)
	for _, command := range []string{"serve", "console"} { // the second shows what the first made
		_, stop := s.beside(command, "--log-format", "json")
		log.Print("Unsolicited response received on idle HTTP channel")
		r := stop()
		found := false
		for line := range strings.Lines(r.err) {
			var entry map[string]any
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Errorf("%s: not JSON: %s", command, line)
			}
			found = found || entry["err"] == "Unsolicited response received on idle HTTP channel"
		}
		if !found {
			t.Errorf("%s: the complaint is not in the log: %s", command, r.err)
		}
	}
}
