package coord

import (
	"encoding/json"

	"tieline/internal/ha"
)

// Input is a heartbeat as its statement takes it: one JSON object, whose
// durations are microseconds.
type Input struct {
	Server   string    `json:"server"`
	Boot     string    `json:"boot"`
	Number   int64     `json:"number"`
	Presence string    `json:"presence"`
	Version  string    `json:"version"`
	Promised int64     `json:"promised"`
	Renew    []renewal `json:"renew"`
	Reports  []report  `json:"reports"`

	// How a session that can only be recognised by the database is recognised.
	Backend int64 `json:"backend,omitempty"`
	Lock    int64 `json:"lock,omitempty"`
}

type renewal struct {
	Connector string `json:"connector"`
	Epoch     int64  `json:"epoch"`
	Promised  int64  `json:"promised"`
}

type report struct {
	Connector string `json:"connector"`
	Runs      int64  `json:"runs"`
	Eligible  int    `json:"eligible"`
	Reaches   int    `json:"reaches"`
	Reason    string `json:"reason"`
}

// NewInput returns the heartbeat in the form its statement takes.
func NewInput(b ha.Beat) Input {
	in := Input{
		Server: b.Server, Boot: b.Boot, Number: b.Number, Presence: b.Presence, Version: b.Version,
		Promised: Micros(b.Promised), Renew: []renewal{}, Reports: []report{},
	}
	for _, r := range b.Renew {
		in.Renew = append(in.Renew, renewal{r.Connector, r.Epoch, Micros(r.Promised)})
	}
	for _, r := range b.Reports {
		in.Reports = append(in.Reports, report{r.Connector, r.Runs, flag(r.Eligible), flag(r.Reaches), r.Reason})
	}
	return in
}

// JSON is the statement's parameter.
func (in Input) JSON() string {
	text, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(text)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
