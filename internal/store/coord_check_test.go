package store

import (
	"strings"
	"testing"
)

func TestCheckTriesWhatCoordinationNeeds(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "north")
		lines, err := db.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]CheckLine{}
		for _, line := range lines {
			found[line.Name] = line
			t.Log(line.Name, line.OK, line.Text)
		}
		for _, name := range []string{"session", "presence", "wake-ups", "clock", "servers"} {
			if !found[name].OK {
				t.Errorf("%s: %v %q", name, found[name].OK, found[name].Text)
			}
		}
		if text := found["servers"].Text; !strings.Contains(text, "north was heard") {
			t.Errorf("servers: %q", text)
		}
	})
}
