package availability

import (
	"fmt"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/overview"
)

// Handover is what Make Active will do.
type Handover struct {
	Connector string
	From      string // who is Active, "" = nobody
	To        string
	Effects   []string // in the order in which they happen
	Warning   string   // why it may be a bad idea; "" = nothing is known against it
	Tag       string   // names who is Active, and who was asked to be: what it is decided on
}

func handover(c overview.Connector, server string) (Handover, error) {
	m, ok := c.Member(server)
	switch {
	case !ok:
		return Handover{}, fault.New(fault.NotFound, fmt.Sprintf("connector %s has no server %s", c.Name, server))
	case c.Active == server && m.Standing != overview.Dead:
		return Handover{}, fault.New(fault.Refused, fmt.Sprintf("server %s is Active for %s already", server, c.Name))
	case m.State == ha.Offline || m.Standing == overview.Dead:
		return Handover{}, fault.New(fault.Refused, fmt.Sprintf("server %s is Offline and cannot become Active for connector %s", server, c.Name)).
			WithNext("Start it first.")
	case !m.Eligible:
		return Handover{}, fault.New(fault.Refused, fmt.Sprintf("server %s cannot run connector %s: %s", server, c.Name, m.Why))
	}
	h := Handover{Connector: c.Name, From: c.Active, To: server, Tag: standingTag(c)}
	if c.Active != "" {
		h.Effects = append(h.Effects, fmt.Sprintf("%s claims nothing more, finishes %s, and releases the lease.", c.Active, inFlight(c.Work.InFlight)))
	}
	h.Effects = append(h.Effects,
		fmt.Sprintf("%s takes over under epoch %d, usually within a tenth of a second. Nothing is lost and nothing is sent twice.", server, c.Epoch+1))
	if first, ok := failsBackTo(c, server); ok {
		h.Effects = append(h.Effects, fmt.Sprintf("Failback is automatic and %s stands before it in the order: once %s has been steady for %s, it becomes Active again.",
			first, first, seconds(c.Settings.Length())))
	}
	if !m.Reaches {
		h.Warning = fmt.Sprintf("The last probe of %s could not connect to the remote system.", server)
		if m.Reason != "" {
			h.Warning += " " + m.Reason
		}
	}
	return h, nil
}

func inFlight(n int64) string {
	switch n {
	case 0:
		return "what is in flight (nothing now)"
	case 1:
		return "the one link in flight"
	default:
		return fmt.Sprintf("the %d links in flight", n)
	}
}

// failsBackTo returns who would take over from the server by automatic failback.
func failsBackTo(c overview.Connector, server string) (string, bool) {
	if c.Settings.Failback != ha.Automatic {
		return "", false
	}
	for _, m := range c.Members {
		if m.Server == server {
			return "", false
		}
		if m.State != ha.Offline && m.Eligible && m.Reaches {
			return m.Server, true
		}
	}
	return "", false
}

// orderEffect says whether anything switches over because of an order.
func orderEffect(c overview.Connector) string {
	if c.Active == "" {
		return "Nobody is Active; the first that can takes over."
	}
	if first, ok := failsBackTo(c, c.Active); ok {
		return fmt.Sprintf("Failback is automatic: once %s has been steady and reached the remote system for %s, it becomes Active in place of %s.",
			first, seconds(c.Settings.Length()), c.Active)
	}
	if c.Settings.Failback == ha.Automatic {
		return fmt.Sprintf("Nothing switches over: %s is Active and the first that can be.", c.Active)
	}
	return fmt.Sprintf("Nothing switches over: failback is manual, and %s stays Active.", c.Active)
}

// seconds writes a time the way the settings do: "90 s".
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", int64(d/time.Second))
	}
	return d.String()
}
