package console

import (
	"errors"
	"strings"

	"tieline/internal/fault"
)

// way is where somebody at the console goes on.
type way struct {
	says string // the next step
	Path string // of a page; "" = the next step is where it is taken
	Name string // of the page
}

// ways say for a command that an error names as the next step what is done at the
// console instead, by the command's beginning.
var ways = map[string]way{
	"tieline alert list":                {"Look for it in the list of alerts: by its text, its ticket or the beginning of its id.", "/alerts", "Alerts"},
	"tieline connector list":            {"The overview lists the connectors there are.", "", ""},
	"tieline connector history":         {"The connector's history lists the versions.", "", ""},
	"tieline token list":                {"The list of API tokens has those there are.", tokensPath, "API tokens"},
	"tieline user list":                 {"The list of accounts has those there are.", accountsPath, "Accounts"},
	"tieline status lists the servers":  {"The connector's High availability tab lists its servers.", "", ""},
	"tieline status lists the conn":     {"The overview lists the connectors, and the tab of each its servers.", "", ""},
	"tieline status tells":              {"The connector's High availability tab tells which are Offline, or why they cannot.", "", ""},
	"ask the Active; `tieline status` ": {"Ask the Active; the connector's High availability tab names it.", "", ""},
}

// wayOf finds the way for an error whose next step is a command; none where the
// step is no command, or one that has no page.
func wayOf(err error) way {
	var known *fault.Error
	if !errors.As(err, &known) {
		return way{}
	}
	for command, to := range ways {
		if strings.HasPrefix(strings.TrimLeft(known.Next, "\"`"), command) {
			return to
		}
	}
	return way{}
}
