package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// past is a bench whose connector has another history than it had.
type past struct {
	*bench
	now time.Time
}

// changed notes a change of who is Active so long ago. to "" is nobody.
func (p past) changed(ago time.Duration, epoch int, from, to, reason string) {
	p.Helper()
	p.sql(fmt.Sprintf(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
		VALUES ('desk', %d, %d, '%s', '%s', '%s', '')`, epoch, p.now.Add(-ago).UnixMicro(), from, to, reason))
}

// gapPasts are histories with gaps, by name: what happened, and what the page says
// of the last week.
var gapPasts = map[string]struct {
	seed  func(p past)
	says  []string
	label string // beside the gap; "" = there is no room
}{
	"90 s": {func(p past) {
		p.changed(11*time.Hour, 1, "", "ams1", "first start")
		p.changed(3*time.Hour+90*time.Second, 1, "ams1", "", "seen ending")
		p.changed(3*time.Hour, 2, "ams1", "fra1", "presence lost")
		p.holds("fra1", 2, 3*time.Hour)
	}, []string{"nobody was Active once, unplanned; 90 s in all", "ams1's process died"}, `>90 s, ams1&#39;s process died<`},
	"300 ms": {func(p past) {
		p.changed(11*time.Hour, 1, "", "ams1", "first start")
		p.changed(3*time.Hour+300*time.Millisecond, 1, "ams1", "", "stop")
		p.changed(3*time.Hour, 2, "", "fra1", "released")
		p.holds("fra1", 2, 3*time.Hour)
	}, []string{"nobody was Active once, as planned; 300 ms in all", "ams1 was stopped"}, `>300 ms, ams1 was stopped<`},
	"open": {func(p past) {
		p.changed(100*time.Hour, 1, "", "ams1", "first start")
		p.sql(`UPDATE server SET heartbeat_at = heartbeat_at - 216000000000`) // 60 h
		p.holds("ams1", 1, 100*time.Hour)
	}, []string{"nobody was Active once, unplanned; 2 d in all", "ams1 fell silent"}, `>2 d, ams1 fell silent<`},
	"midnight": {func(p past) {
		midnight := p.now.Sub(p.now.Add(-2 * time.Hour).Truncate(24 * time.Hour))
		p.changed(60*time.Hour, 1, "", "ams1", "first start")
		p.changed(midnight+90*time.Minute, 1, "ams1", "", "stop")
		p.changed(midnight-90*time.Minute, 2, "", "fra1", "released")
		p.holds("fra1", 2, midnight-90*time.Minute)
	}, []string{"nobody was Active once, as planned; 3 h in all", "22:30:00 UTC", "01:30:00 UTC"}, `>3 h, ams1 was stopped<`},
	"50": {func(p past) {
		p.changed(23*time.Hour+30*time.Minute, 1, "", "ams1", "first start")
		servers := []string{"ams1", "fra1"}
		for i := range 50 {
			at := 23*time.Hour - time.Duration(i)*27*time.Minute
			p.changed(at+time.Duration(1+i%7*20)*time.Second, i+1, servers[i%2], "", "seen ending")
			p.changed(at, i+2, servers[i%2], servers[(i+1)%2], "presence lost")
		}
		p.holds("ams1", 51, 57*time.Minute)
	}, []string{"nobody was Active 50 times, unplanned", "ams1's process died", "fra1's process died"}, ""},
}

// holds gives a server the desk's lease so long ago.
func (p past) holds(server string, epoch int, ago time.Duration) {
	p.Helper()
	p.sql(fmt.Sprintf(`UPDATE lease SET server = '%[1]s', boot = '%[1]s', epoch = %[2]d, since = %[3]d`, server, epoch, p.now.Add(-ago).UnixMicro()))
}

// pastOf is a bench whose connector has that history and no other.
func pastOf(t *testing.T, seed func(p past)) *bench {
	b := newBench(t)
	b.connector()
	b.sql(`DELETE FROM availability_event`)
	seed(past{b, time.Now().UTC()})
	return b
}

// TestGapsAreTold: a gap stands on the High availability tab and in the History with
// its length and its reason, however short, long or many.
func TestGapsAreTold(t *testing.T) {
	for name, c := range gapPasts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pastOf(t, c.seed)
			for _, path := range []string{"/connectors/desk", "/connectors/desk/history"} {
				page := b.get(path+"?window=7d", http.StatusOK)
				b.says(page, c.says...)
				if !strings.Contains(page, "<title>Nobody Active ") && !strings.Contains(page, "<title>50 times") {
					t.Errorf("%s draws no gap", path)
				}
				if c.label != "" && !strings.Contains(page, c.label) {
					t.Errorf("%s has no label %q", path, c.label)
				}
			}
		})
	}
}
