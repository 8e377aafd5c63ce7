package availability

import (
	"testing"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/overview"
)

// TestHandoverToWhoIsOffline: Make Active is refused to a server whose process is
// gone, also to the last one, which is shown as Active until its lease has run out.
func TestHandoverToWhoIsOffline(t *testing.T) {
	for name, m := range map[string]overview.Member{
		"dead":     {State: ha.Offline, Standing: overview.Dead},
		"stopped":  {State: ha.Offline, Standing: overview.Stopped},
		"silent":   {State: ha.Offline, Standing: overview.Silent},
		"the last": {State: ha.Active, Standing: overview.Dead},
	} {
		m.Server, m.Eligible = "fra1", true
		c := overview.Connector{Name: "desk", Members: []overview.Member{m}}
		if m.State == ha.Active {
			c.Active = m.Server
		}
		_, err := handover(c, "fra1")
		if want := "server fra1 is Offline and cannot become Active for connector desk"; fault.KindOf(err) != fault.Refused || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
