package rt

import (
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/remote"
)

// config is what Settings.Values say.
type config struct {
	queue, requestor                   string
	keyField, severityField, bodyField string
	queues                             []string // those watched for news
	ended                              []string
	webURL, caFile                     string
	settle                             time.Duration
}

const restPath = "/REST/2.0"

func read(s remote.Settings) (config, *remote.Endpoints, []fault.Problem) {
	endpoints, problems := remote.ParseEndpoints(withREST(s.Endpoints))
	problems = append(problems, checkCredentials(s)...)
	r := remote.NewReader(s.Values)
	c := config{
		queue:         r.Required("queue", "the queue that tickets are made in"),
		requestor:     r.Text("requestor", ""),
		keyField:      r.Text("key_field", "Alert ID"),
		severityField: r.Text("severity_field", ""),
		bodyField:     r.Text("body_field", ""),
		ended:         r.Texts("ended", "resolved", "rejected", "deleted"),
		webURL:        strings.TrimRight(r.Text("web_url", ""), "/"),
		caFile:        r.Text("ca_file", ""),
		settle:        r.Duration("settle", 30*time.Second),
	}
	c.queues = append([]string{c.queue}, r.Texts("also_watch")...)
	if c.keyField == "" || strings.ContainsAny(c.keyField, `{}'"\`) {
		r.Bad("key_field", `must name a custom field without any of {}'"\`)
	}
	r.Done()
	return c, endpoints, append(problems, r.Problems()...)
}

func withREST(endpoints []string) []string {
	full := make([]string, len(endpoints))
	for i, e := range endpoints {
		e = strings.TrimRight(strings.TrimSpace(e), "/")
		if e != "" && !strings.HasSuffix(e, restPath) {
			e += restPath
		}
		full[i] = e
	}
	return full
}

func checkCredentials(s remote.Settings) []fault.Problem {
	var problems []fault.Problem
	bad := func(path, msg string) { problems = append(problems, fault.Problem{Path: path, Message: msg}) }
	if err := s.Token.Check(); err != nil {
		bad("remote.token", err.Error())
	}
	if err := s.Password.Check(); err != nil {
		bad("remote.password", err.Error())
	}
	switch {
	case s.Token == "" && s.Password == "":
		bad("remote.token", "is required: an authentication token of Request Tracker, or remote.user and remote.password")
	case s.Token == "" && s.User == "":
		bad("remote.user", "is required with remote.password")
	}
	return problems
}

// Check returns every problem of the settings.
func Check(s remote.Settings) []fault.Problem {
	_, _, problems := read(s)
	return problems
}
