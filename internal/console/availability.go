package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/availability"
	"tieline/internal/service/overview"
)

// availabilityPage is the High availability tab.
type availabilityPage struct {
	Page
	C        overview.Connector
	Next     overview.Member // who would take over
	HasNext  bool
	Presence bool   // the Active's death is seen at once
	Seen     string // the tag of the order that is shown
	Settings settingsForm
	Strip    strip
	Window   string
	Windows  []window
}

// settingsForm is what the person typed, or what is set.
type settingsForm struct {
	Polling   string // in seconds
	Tolerance string
	Failback  string
	Base      int64             // version it was decided on
	Problems  map[string]string // by field
	Length    string            // the product, as it is set
	Load      string            // what it costs the database
}

func (c *Console) availabilityRoutes() []guard.Route {
	return []guard.Route{
		page("/connectors/{connector}", c.checked(c.availability, windowParameter)),
		form("/connectors/{connector}", access.Operate, "change availability settings", c.changeSettings),
		form("/connectors/{connector}/order", access.Operate, "move server", c.moveServer),
		patient(form("/connectors/{connector}/refresh", access.View, "refresh list", c.refreshConnector)),
		asks("/connectors/{connector}/make-active", access.Operate, c.askMakeActive),
		patient(form("/connectors/{connector}/make-active", access.Operate, "make active", c.makeActive)),
	}
}

func (c *Console) availabilityLive() []liveRoute {
	return []liveRoute{{"GET /connectors/{connector}", func(r *http.Request) livePage {
		name, w := r.PathValue("connector"), windowOf(r)
		var picture stripCache
		return livePage{
			template: "availability.html", panels: []string{"status", "order", "strip"},
			data: func(s overview.State) (any, error) {
				k, ok := s.Snapshot.Connector(name)
				if !ok {
					return nil, overview.NoConnector(name)
				}
				data := availabilityPage{Page: c.livePanel(r, s.Snapshot.At), C: k, Window: w.Key, Windows: windows}
				data.standing(s.Snapshot)
				var err error
				data.Strip, err = picture.get(r.Context(), c, k, s.Snapshot.At, w)
				return data, err
			},
		}
	}}}
}

// standing fills in what the status sentence says.
func (p *availabilityPage) standing(s *overview.Snapshot) {
	p.Next, p.HasNext = p.C.Next()
	p.Seen = availability.OrderTag(p.C.Order())
	for _, v := range s.Servers {
		if v.Name == p.C.Active {
			p.Presence = !v.WithoutPresence
		}
	}
}

func (c *Console) availability(w http.ResponseWriter, r *http.Request) {
	c.showAvailability(w, r, http.StatusOK, nil)
}

// showAvailability renders the tab; form is what was typed, nil = what is set.
func (c *Console) showAvailability(w http.ResponseWriter, r *http.Request, status int, typed *settingsForm) {
	k, snapshot, err := c.Services.Overview.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	in := windowOf(r)
	data := availabilityPage{Page: c.connectorPage(w, r, k, snapshot, "availability"), C: k, Window: in.Key, Windows: windows}
	data.standing(snapshot)
	data.Live = true
	data.Settings = settingsOf(k)
	if typed != nil {
		typed.Length, typed.Load = data.Settings.Length, data.Settings.Load
		data.Settings = *typed
	}
	if data.Strip, err = c.strip(r.Context(), k, snapshot.At, in); err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, "availability.html", data)
}

// connectorPage is the frame of one of a connector's tabs.
func (c *Console) connectorPage(w http.ResponseWriter, r *http.Request, k overview.Connector, s *overview.Snapshot, tab string) Page {
	p := c.page(w, r, tabTitle(tab), "connectors")
	p.Now = s.At
	p.Connector = frame(k.Name, c.Services.Overview.Remote(r.Context(), k.Name, k.Settings.Version), k.Active, tab)
	return p
}

func tabTitle(key string) string {
	for _, t := range tabs {
		if t.key == key {
			return t.name
		}
	}
	return ""
}

func settingsOf(k overview.Connector) settingsForm {
	return settingsForm{
		Polling: strconv.FormatFloat(k.Settings.Polling.Seconds(), 'f', -1, 64), Tolerance: strconv.Itoa(k.Settings.Tolerance),
		Failback: string(k.Settings.Failback), Base: k.Settings.Version, Length: span(k.Settings.Length()),
		Load: heartbeatLoad(len(k.Members), k.Settings.Polling),
	}
}

// heartbeatLoad says what heartbeats cost the database.
func heartbeatLoad(servers int, polling time.Duration) string {
	perMinute := float64(servers) * float64(time.Minute) / float64(max(polling, time.Second))
	text := strconv.FormatFloat(perMinute, 'f', 1, 64)
	return fmt.Sprintf("Each server writes one heartbeat per polling interval, however many connectors it serves: %s a minute from the %s here.",
		strings.TrimSuffix(text, ".0"), plural(servers, "server", "servers"))
}

// changeSettings shows what a change would do, or does it.
func (c *Console) changeSettings(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("connector")
	typed := &settingsForm{
		Polling: r.PostFormValue("polling"), Tolerance: r.PostFormValue("tolerance"), Failback: r.PostFormValue("failback"), Problems: map[string]string{},
	}
	typed.Base, _ = strconv.ParseInt(r.PostFormValue("base"), 10, 64) // what is no number is decided on whichever version is current
	want, ok := typed.read()
	if !ok {
		c.showAvailability(w, r, http.StatusUnprocessableEntity, typed)
		return
	}
	ctx := r.Context()
	if r.PostFormValue("step") != "apply" {
		preview, err := c.Services.Availability.Preview(ctx, name, want, typed.Base)
		if err != nil {
			c.refuseSettings(w, r, typed, err)
			return
		}
		c.askSettings(w, r, typed, preview)
		return
	}
	changed, err := c.Services.Availability.Change(ctx, name, want, typed.Base, who(r))
	if err != nil {
		c.refuseSettings(w, r, typed, err)
		return
	}
	access.Remark(ctx, "document version %d", changed.Version)
	c.done(w, r, connectorURL(name), settingsNotice(changed))
}

func settingsNotice(changed availability.Changed) Notice {
	if len(changed.Changes) == 0 {
		return Notice{What: "Nothing to change", Text: "The settings are these already."}
	}
	return Notice{
		Kind: "ok", What: fmt.Sprintf("Version %d is applied", changed.Version),
		Text: "The servers take it up within moments, without a restart; nobody is deposed by it. The table shows which version each one runs.",
	}
}

// LeastSeconds and MostSeconds bound the polling interval.
func (settingsForm) LeastSeconds() float64 { return connector.PollingLeast.Seconds() }

func (settingsForm) MostSeconds() float64 { return connector.PollingMost.Seconds() }

// LeastMissed and MostMissed bound the tolerance.
func (settingsForm) LeastMissed() int { return connector.ToleranceLeast }

func (settingsForm) MostMissed() int { return connector.ToleranceMost }

// read reads the fields; false when one cannot be.
func (f *settingsForm) read() (availability.Settings, bool) {
	want := availability.Settings{Failback: ha.Failback(f.Failback)}
	least, most := f.LeastSeconds(), f.MostSeconds()
	// NaN, which ParseFloat takes, is not within them, nor outside.
	if polling, err := strconv.ParseFloat(f.Polling, 64); err == nil && polling >= least && polling <= most {
		want.Polling = time.Duration(polling * float64(time.Second)).Round(time.Millisecond)
	} else {
		f.Problems["polling"] = fmt.Sprintf("Write seconds, from %s to %s.", number(least), number(most))
	}
	var err error
	if want.Tolerance, err = strconv.Atoi(f.Tolerance); err != nil || want.Tolerance < f.LeastMissed() || want.Tolerance > f.MostMissed() {
		f.Problems["tolerance"] = fmt.Sprintf("Write a whole number from %d to %d: one missed heartbeat is no silence.", f.LeastMissed(), f.MostMissed())
	}
	if want.Failback != ha.Manual && want.Failback != ha.Automatic {
		f.Problems["failback"] = "Choose one of the two."
	}
	return want, len(f.Problems) == 0
}

// refuseSettings shows the form again with each problem at its field, so that
// nothing typed is lost.
func (c *Console) refuseSettings(w http.ResponseWriter, r *http.Request, typed *settingsForm, err error) {
	var known *fault.Error
	if !errors.As(err, &known) || known.Kind != fault.Invalid && known.Kind != fault.Conflict {
		c.fail(w, r, err)
		return
	}
	for _, p := range known.Problems {
		switch {
		case strings.HasSuffix(p.Path, "polling_interval"):
			typed.Problems["polling"] = capital(p.Message)
		case strings.HasSuffix(p.Path, "tolerance"):
			typed.Problems["tolerance"] = capital(p.Message)
		case strings.HasSuffix(p.Path, "failback"):
			typed.Problems["failback"] = capital(p.Message)
		default:
			typed.Problems["form"] = p.Path + ": " + p.Message
		}
	}
	if len(known.Problems) == 0 {
		typed.Problems["form"] = capital(known.Msg) + ". " + nextStep(known)
	}
	if known.Kind == fault.Conflict {
		typed.Base = 0 // what is typed stays; applied anew, it is decided on what is current
	}
	c.showAvailability(w, r, known.Kind.Status(), typed)
}

// confirmPage asks before something is done.
type confirmPage struct {
	Page
	Heading  string
	Changed  *availability.Changed
	Handover *availability.Handover
	Server   string // to be removed
	Form     settingsForm
	Length   string // what silence would come to
}

func (c *Console) askSettings(w http.ResponseWriter, r *http.Request, typed *settingsForm, preview availability.Changed) {
	if len(preview.Changes) == 0 {
		c.done(w, r, connectorURL(preview.Connector), settingsNotice(preview))
		return
	}
	k, snapshot, err := c.Services.Overview.Connector(r.Context(), preview.Connector)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	want, _ := typed.read()
	typed.Base = preview.Base
	typed.Load = heartbeatLoad(len(k.Members), want.Polling)
	c.render(w, r, http.StatusOK, "confirm.html", confirmPage{
		Page:    c.connectorPage(w, r, k, snapshot, "availability"),
		Heading: fmt.Sprintf("Apply version %d to %s?", preview.Version, preview.Connector), Changed: &preview, Form: *typed,
		Length: span(want.Polling * time.Duration(want.Tolerance)),
	})
}

// moveServer moves a server in the order: the buttons send -1 and 1, a drag how far.
func (c *Console) moveServer(w http.ResponseWriter, r *http.Request) {
	name, server := r.PathValue("connector"), r.PostFormValue("server")
	by, err := strconv.Atoi(r.PostFormValue("by"))
	if err != nil {
		c.fail(w, r, fault.New(fault.Invalid, "the form does not say how far to move"))
		return
	}
	seen, err := decidedOn(r)
	if err != nil {
		c.undone(w, r, connectorURL(name), err)
		return
	}
	moved, err := c.Services.Availability.Move(r.Context(), name, server, by, seen, who(r))
	if err != nil {
		c.undone(w, r, connectorURL(name), err)
		return
	}
	access.Remark(r.Context(), "%s: %s -> %s", server, strings.Join(moved.Before, ", "), strings.Join(moved.After, ", "))
	c.done(w, r, connectorURL(name), Notice{
		Kind: "ok", What: fmt.Sprintf("The order was %s; it is %s now", strings.Join(moved.Before, ", "), strings.Join(moved.After, ", ")),
		Text: fmt.Sprintf("%s is number %d of %d. %s", server, slices.Index(moved.After, server)+1, len(moved.After), moved.Effect),
	})
}

func (c *Console) refreshConnector(w http.ResponseWriter, r *http.Request) {
	c.refresh(w, r, connectorURL(r.PathValue("connector")))
}

// refresh asks all servers for a sign of life and goes back to the page.
func (c *Console) refresh(w http.ResponseWriter, r *http.Request, path string) {
	snapshot, silent, err := c.Services.Overview.Refresh(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	on := 0
	for _, v := range snapshot.Servers {
		if v.On {
			on++
		}
	}
	n := Notice{Kind: "ok", What: "Asked all servers at " + snapshot.At.Format("15:04:05 MST"), Text: fmt.Sprintf("%s answered.", capital(plural(on, "server that is on", "servers that are on")))}
	switch {
	case on == 0:
		n.Kind, n.Text = "amber", "No server is on, so nobody takes alerts in. What stands here is what the servers told last."
	case len(silent) > 0:
		n.Kind, n.Text = "amber", fmt.Sprintf("%s did not answer within 2.5 s; %s counts as Offline when the promised time has passed.", list(silent), map[bool]string{true: "it", false: "each"}[len(silent) == 1])
	}
	c.done(w, r, path, n)
}

// askMakeActive says what Make Active will do.
func (c *Console) askMakeActive(w http.ResponseWriter, r *http.Request) {
	k, snapshot, err := c.Services.Overview.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	h, err := c.Services.Availability.Handover(r.Context(), k.Name, r.URL.Query().Get("server"))
	if err != nil {
		c.undone(w, r, connectorURL(k.Name), err)
		return
	}
	c.render(w, r, http.StatusOK, "confirm.html", confirmPage{
		Page: c.connectorPage(w, r, k, snapshot, "availability"), Heading: fmt.Sprintf("Make %s Active for %s?", h.To, k.Name), Handover: &h,
	})
}

func (c *Console) makeActive(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("connector")
	seen, err := decidedOn(r)
	if err != nil {
		c.undone(w, r, connectorURL(name), err)
		return
	}
	h, err := c.Services.Availability.MakeActive(r.Context(), name, r.PostFormValue("server"), seen, who(r))
	if err != nil {
		c.undone(w, r, connectorURL(name), err)
		return
	}
	access.Remark(r.Context(), "%s, from %s", h.To, h.From)
	c.done(w, r, connectorURL(name), Notice{Kind: "ok", What: fmt.Sprintf("%s is asked to be Active", h.To), Text: c.awaitActive(r.Context(), name, h)})
}

// handoverTime is how long a form waits to see the switchover it asked for.
const (
	handoverTime = 2 * time.Second
	handoverLook = 50 * time.Millisecond
)

// awaitActive waits a moment for the switchover, and says what came of it.
func (c *Console) awaitActive(ctx context.Context, name string, h availability.Handover) string {
	ctx, cancel := context.WithTimeout(ctx, handoverTime)
	defer cancel()
	for {
		k, _, err := c.Services.Overview.Connector(ctx, name)
		if err == nil && k.Active == h.To {
			return fmt.Sprintf("It is, under epoch %d.", k.Epoch)
		}
		select {
		case <-ctx.Done():
			return "It happens when the Active has finished what is in flight, at its next heartbeat at the latest. The table shows when."
		case <-time.After(handoverLook):
		}
	}
}
