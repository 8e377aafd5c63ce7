package documents

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/remote"
)

// probeTime bounds one probe of a remote, whatever the document's timeout.
const probeTime = 10 * time.Second

// Probe is what a remote answered when it was asked just now.
type Probe struct {
	Endpoint string        `json:"endpoint"`
	OK       bool          `json:"ok"`      // it can be reached and accepts the credentials
	Reached  bool          `json:"reached"` // a connection was possible
	Status   int           `json:"status,omitempty"`
	Message  string        `json:"message"` // what came back; holds no secret
	Took     time.Duration `json:"-"`
}

// Probe asks one endpoint of a state's remote, from this server and with its
// secrets, whether it can be reached: endpoint counts from 0, and is ignored for
// a kind without endpoints. Nothing is written. The error is fault.Forbidden when
// the state calls other systems than the current version and who may not
// administer, and fault.Invalid when the remote cannot be called as it is.
func (s *Service) Probe(ctx context.Context, who access.Principal, state State, endpoint int) (Probe, error) {
	if state.Doc == nil {
		return Probe{}, fault.InvalidInput("the remote system cannot be asked", state.Problems)
	}
	live, _ := connector.Examine([]byte(state.Live.Text)) // nil where the connector is new
	if err := s.allowed(who, live, state.Doc); err != nil {
		return Probe{}, err
	}
	doc := *state.Doc
	label := doc.Remote.Kind
	if len(doc.Remote.Endpoints) > 0 {
		if endpoint < 0 || endpoint >= len(doc.Remote.Endpoints) {
			return Probe{}, fault.New(fault.NotFound, fmt.Sprintf("the remote system has no endpoint %d", endpoint+1)).
				WithNext("Load the page again; the list may have changed.")
		}
		label = doc.Remote.Endpoints[endpoint]
		doc.Remote.Endpoints = slices.Clone(doc.Remote.Endpoints[endpoint : endpoint+1])
	}
	adapter, err := s.kinds.Adapter(&doc)
	if err != nil {
		return Probe{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	begun := time.Now()
	err = adapter.Probe(ctx)
	probe := Probe{Endpoint: label, OK: err == nil, Reached: true, Took: time.Since(begun), Message: "It answers."}
	if doc.Remote.Token != "" || doc.Remote.Password != "" {
		probe.Message = "It answers and accepts the credentials."
	}
	if err != nil {
		f := remote.AsFailure(err)
		probe.Reached, probe.Status, probe.Message = !f.Connect, f.Status, f.Msg
	}
	return probe, nil
}
