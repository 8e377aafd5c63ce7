package app

import (
	"maps"
	"slices"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/remote"
	"tieline/internal/service/documents"
)

// DocumentKinds is what editing documents needs of the adapters that are built
// in. agent names this program to remotes that are tested.
func DocumentKinds(agent string) documents.Kinds {
	return documents.Kinds{
		Check:    CheckKinds,
		Beside:   CheckBeside,
		Settings: HASettings,
		Notes: func(doc *connector.Document) []fault.Problem {
			var notes []fault.Problem
			for _, n := range Notes(doc) {
				notes = append(notes, fault.Problem(n))
			}
			return notes
		},
		Adapter: func(doc *connector.Document) (remote.Adapter, error) {
			kind, ok := remotes[doc.Remote.Kind]
			if !ok {
				return nil, fault.InvalidInput("the remote system cannot be asked",
					[]fault.Problem{unknownKind("remote.kind", doc.Remote.Kind, remotes)})
			}
			settings := remoteSettings(doc)
			settings.Agent = agent
			return kind.New(settings)
		},
		Remotes: slices.Sorted(maps.Keys(remotes)),
		Sources: slices.Sorted(maps.Keys(sources)),
	}
}
