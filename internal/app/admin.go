package app

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/remote"
)

// administrator lets only those through who know the management group's key,
// which is whoever can read its database: the command line.
func (a *App) administrator(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || !a.group.NudgeKey.Equal(token) {
			refuse(w, fault.New(fault.Unauthorized, "this needs the management group's key"))
			return
		}
		next(w, r)
	}
}

// Reconciled is the answer of a reconcile run.
type Reconciled struct {
	Connector string `json:"connector"`
	Server    string `json:"server"`
	Tickets   int    `json:"tickets"`   // listed by the remote with a key of ours
	Links     int    `json:"links"`     // at rest, compared with them
	Missing   int    `json:"missing"`   // open alerts whose ticket is not listed
	LeftOpen  int    `json:"left_open"` // closed alerts whose ticket is open
	Twins     int    `json:"twins"`     // alerts with several open tickets
	Strangers int    `json:"strangers"` // alerts that are not kept and have an open ticket
	Forgotten int    `json:"forgotten"` // the same with ended tickets only
	Marked    int    `json:"marked"`    // links that will be looked at
	// Open are tickets of the strangers, 20 at most.
	Open []string `json:"open"`
}

// reconcile compares both sides now, on the Active.
func (a *App) reconcile(w http.ResponseWriter, r *http.Request) {
	u := a.units.get(r.PathValue("connector"))
	if u == nil {
		refuse(w, fault.New(fault.NotFound, fmt.Sprintf("this server serves no connector %q", r.PathValue("connector"))))
		return
	}
	// A remote with many tickets takes longer than any other request may.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	report, err := u.forwarder.Reconcile(r.Context())
	var f *remote.Failure
	if errors.As(err, &f) {
		err = fault.Wrap(fault.Unavailable, err, f.Msg)
	}
	if err != nil {
		a.log.Warn("the reconcile run ended early", "connector", u.name, "err", err)
		refuse(w, err)
		return
	}
	reply(w, http.StatusOK, Reconciled{
		Connector: u.name, Server: a.cfg.Server, Tickets: report.Tickets, Links: report.Links, Missing: report.Missing,
		LeftOpen: report.LeftOpen, Twins: report.Twins, Strangers: report.Strangers, Forgotten: report.Forgotten,
		Marked: report.Marked, Open: append([]string{}, report.Open...),
	})
}

// refuse answers an error with its safe message, as RFC 9457 has it.
func refuse(w http.ResponseWriter, err error) {
	status := fault.KindOf(err).Status()
	detail := fault.Message(err)
	var known *fault.Error
	if !errors.As(err, &known) {
		detail = "it could not be done; the server's log has the cause"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	reply(w, status, map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}
