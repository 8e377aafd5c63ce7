package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// Version is one version of a connector's document.
type Version struct {
	Connector string    `json:"connector" example:"shop"`
	Version   int64     `json:"version" example:"7"`
	Text      string    `json:"text,omitempty" doc:"The document, as YAML; left out in lists"`
	Who       string    `json:"who"`
	Comment   string    `json:"comment,omitempty"`
	At        time.Time `json:"at"`
}

// Difference is what differs between two versions.
type Difference struct {
	Connector string        `json:"connector"`
	From      int64         `json:"from"`
	To        int64         `json:"to"`
	Changes   []edit.Change `json:"changes" doc:"Value by value; empty where one of the texts is no YAML"`
	Diff      string        `json:"diff" doc:"Line by line: -old, +new"`
}

// Runs is one server with the version it runs.
type Runs = documents.Running

// ConnectorPath is embedded in the input of an operation about a connector.
type ConnectorPath struct {
	Connector string `path:"connector" maxLength:"40" example:"shop"`
}

// VersionPath is embedded in the input of an operation about a version.
type VersionPath struct {
	ConnectorPath
	Version int64 `path:"version" minimum:"1" example:"7"`
}

type versionOutput struct {
	ETag string `header:"ETag"`
	Body Version
}

type rollbackInput struct {
	VersionPath
	IfMatch
}

type runningOutput struct {
	Body struct {
		Version int64  `json:"version" doc:"The current one"`
		Servers []Runs `json:"servers" doc:"In communication order"`
	}
}

func registerDocuments(a *API, s *documents.Service) {
	registerVersions(a, s)
	registerVersionUse(a, s)
	registerDraft(a, s)
	registerDraftSaves(a, s)
	registerConflicts(a, s)
	registerDraftEnds(a, s)
	registerTries(a, s)
	registerProbe(a, s)
	registerSources(a, s)
}

var documentTags = []string{"documents"}

func registerVersions(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "get-document", Method: http.MethodGet, Path: "/connectors/{connector}/document", Tags: documentTags,
		Summary: "Read a connector's current document", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*versionOutput, error) {
		return version(ctx, s, in.Connector, 0)
	})
	Register(a, huma.Operation{
		OperationID: "list-versions", Method: http.MethodGet, Path: "/connectors/{connector}/versions", Tags: documentTags,
		Summary: "List the versions of a connector's document, newest first", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *struct {
		ConnectorPath
		PageInput
	}) (*Page[Version], error) {
		return listVersions(ctx, s, in.Connector, &in.PageInput)
	})
	Register(a, huma.Operation{
		OperationID: "get-version", Method: http.MethodGet, Path: "/connectors/{connector}/versions/{version}", Tags: documentTags,
		Summary: "Read one version of a connector's document", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *VersionPath) (*versionOutput, error) {
		return version(ctx, s, in.Connector, in.Version)
	})
	Register(a, huma.Operation{
		OperationID: "diff-versions", Method: http.MethodGet, Path: "/connectors/{connector}/versions/{version}/diff", Tags: documentTags,
		Summary: "Compare a version with an earlier one", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *struct {
		VersionPath
		From int64 `query:"from" minimum:"0" doc:"The version to compare with; 0 = the one before"`
	}) (*struct{ Body Difference }, error) {
		return diffVersions(ctx, s, in.Connector, in.From, in.Version)
	})
}

// registerVersionUse adds what is done with versions.
func registerVersionUse(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "roll-back", Method: http.MethodPost, Path: "/connectors/{connector}/versions/{version}/roll-back", Tags: documentTags,
		Summary: "Apply an earlier version again, as a new one", Description: "If-Match is the ETag of the current document.",
		Errors: append([]int{http.StatusNotFound, http.StatusBadRequest}, Precondition...),
	}, access.Operate, func(ctx context.Context, in *rollbackInput) (*versionOutput, error) {
		return rollBack(ctx, s, in)
	})
	Register(a, huma.Operation{
		OperationID: "get-running", Method: http.MethodGet, Path: "/connectors/{connector}/document/running", Tags: documentTags,
		Summary: "Say which server runs which version of the document", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*runningOutput, error) {
		current, err := s.Version(ctx, in.Connector, 0)
		if err != nil {
			return nil, err
		}
		out := new(runningOutput)
		out.Body.Version = current.Version
		out.Body.Servers, err = s.Running(ctx, in.Connector, current.Version)
		return out, err
	})
}

func version(ctx context.Context, s *documents.Service, name string, number int64) (*versionOutput, error) {
	d, err := s.Version(ctx, name, number)
	if err != nil {
		return nil, err
	}
	return &versionOutput{ETag(d.Version), Version(d)}, nil
}

func listVersions(ctx context.Context, s *documents.Service, name string, page *PageInput) (*Page[Version], error) {
	all, err := s.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	var after int64
	if more, err := page.After(&after); err != nil {
		return nil, err
	} else if more {
		all = slices.DeleteFunc(all, func(d documents.Version) bool { return d.Version >= after })
	}
	return NewPage(page, all[:min(len(all), page.Limit+1)], func(d documents.Version) Version {
		v := Version(d)
		v.Text = ""
		return v
	}, func(d documents.Version) any { return d.Version }), nil
}

func diffVersions(ctx context.Context, s *documents.Service, name string, from, to int64) (*struct{ Body Difference }, error) {
	if from == 0 {
		from = to - 1
	}
	if from < 1 {
		return nil, fault.New(fault.NotFound, "connector "+name+" has no version before that one")
	}
	old, err := s.Version(ctx, name, from)
	if err != nil {
		return nil, err
	}
	next, err := s.Version(ctx, name, to)
	if err != nil {
		return nil, err
	}
	d := Difference{Connector: name, From: from, To: to, Diff: edit.Diff(old.Text, next.Text), Changes: changesOf(old.Text, next.Text)}
	return &struct{ Body Difference }{d}, nil
}

// changesOf is empty, never null, where one of the texts is no YAML.
func changesOf(old, next string) []edit.Change {
	changes, err := edit.Changes(old, next)
	if err != nil || changes == nil {
		return []edit.Change{}
	}
	return changes
}

func rollBack(ctx context.Context, s *documents.Service, in *rollbackInput) (*versionOutput, error) {
	current, err := in.IfMatch.Version()
	if err == nil && current == 0 { // "*"
		var live documents.Version
		live, err = s.Version(ctx, in.Connector, 0)
		current = live.Version
	}
	if err != nil {
		return nil, err
	}
	who, _ := access.From(ctx)
	saved, err := s.Rollback(ctx, who, in.Connector, in.VersionPath.Version, current)
	if fault.KindOf(err) == fault.Conflict {
		// Where If-Match is right it is refused for another reason: reading again would show the same.
		if live, readErr := s.Version(ctx, in.Connector, 0); readErr == nil && live.Version != current {
			err = Stale(err)
		}
	}
	if err != nil {
		return nil, err
	}
	access.Remark(ctx, "back to version %d, as version %d", in.VersionPath.Version, saved.Version)
	return &versionOutput{ETag(saved.Version), Version(saved)}, nil
}
