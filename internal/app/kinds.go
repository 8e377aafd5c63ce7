package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/remote"
	"tieline/internal/remote/files"
	"tieline/internal/remote/rt"
	"tieline/internal/remote/webhook"
	"tieline/internal/secret"
	"tieline/internal/source"
	"tieline/internal/source/alertmanager"
	"tieline/internal/source/generic"
)

// remotes is every kind of remote system that is built in.
var remotes = map[string]remote.Kind{
	"files":   {Check: files.Check, New: files.New, Inbox: files.Inbox},
	"rt":      {Check: rt.Check, New: rt.New},
	"webhook": {Check: webhook.Check, New: webhook.New},
}

// sources is every kind of source that is built in.
var sources = map[string]source.Kind{
	"alertmanager": {Check: alertmanager.Check, New: alertmanager.New},
	"generic":      {Check: generic.Check, New: generic.New},
}

// CheckKinds finds what package connector cannot know: kinds that are not built
// in, and settings that an adapter does not accept. It is a connector.Check.
func CheckKinds(doc *connector.Document) []fault.Problem {
	var problems []fault.Problem
	if kind, ok := remotes[doc.Remote.Kind]; ok {
		problems = append(problems, kind.Check(remoteSettings(doc))...)
	} else if doc.Remote.Kind != "" {
		problems = append(problems, unknownKind("remote.kind", doc.Remote.Kind, remotes))
	}
	for i, s := range doc.Sources {
		path := fmt.Sprintf("sources[%d].", i)
		kind, ok := sources[s.Kind]
		switch {
		case !ok && s.Kind != "":
			problems = append(problems, unknownKind(path+"kind", s.Kind, sources))
		case ok:
			for _, p := range kind.Check(s.Settings) {
				p.Path = path + p.Path
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// CheckBeside finds what a document and those of the group's other connectors
// cannot both say. It is run before a document is applied.
func CheckBeside(doc *connector.Document, others []*connector.Document) []fault.Problem {
	problems := intake.CheckSources(doc, others)
	mine := inbox(doc)
	for _, other := range others {
		if mine != "" && other.Name != doc.Name && inbox(other) == mine {
			problems = append(problems, fault.Problem{Path: "remote.settings", Message: fmt.Sprintf(
				"connector %s takes the replies in %s too, and either would take the other's away; give each an inbox of its own", other.Name, mine)})
		}
	}
	return problems
}

func inbox(doc *connector.Document) string {
	kind := remotes[doc.Remote.Kind]
	if kind.Inbox == nil {
		return ""
	}
	return kind.Inbox(remoteSettings(doc))
}

func unknownKind[T any](path, kind string, known map[string]T) fault.Problem {
	names := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	return fault.Problem{Path: path, Message: fmt.Sprintf("there is no kind %q; the kinds are %s", kind, names)}
}

func remoteSettings(doc *connector.Document) remote.Settings {
	r := doc.Remote
	return remote.Settings{
		Endpoints: r.Endpoints, Token: r.Token, User: r.User, Password: r.Password, Values: r.Settings,
		Timeout: time.Duration(doc.Limits.Timeout),
	}
}

// HASettings are what availability needs of a document.
func HASettings(doc *connector.Document) ha.Settings {
	h := doc.Availability
	return ha.Settings{
		Polling: time.Duration(h.Polling), Tolerance: h.Tolerance, Failback: ha.Failback(h.Failback),
		Window: time.Duration(doc.Limits.Window), Settle: max(time.Duration(doc.Limits.Settle), adapterSettle(doc)),
	}
}

// adapterSettle is the settle time that the adapter asks for.
func adapterSettle(doc *connector.Document) time.Duration {
	traits, _ := adapterTraits(doc)
	return traits.Settle
}

// adapterTraits asks the adapter for what it promises. It is built without its
// secrets, which may be known to the servers alone: it calls nobody. ok is false
// when it cannot be built; its servers will say why they cannot run it.
func adapterTraits(doc *connector.Document) (traits remote.Traits, ok bool) {
	kind, ok := remotes[doc.Remote.Kind]
	if !ok {
		return traits, false
	}
	s := remoteSettings(doc)
	s.Resolve = func(secret.Ref) (secret.String, error) { return secret.New("unused"), nil }
	adapter, err := kind.New(s)
	if err != nil {
		return traits, false
	}
	return adapter.Traits(), true
}
