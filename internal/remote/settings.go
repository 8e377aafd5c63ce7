package remote

import (
	"log/slog"
	"net/http"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Settings are what an adapter is built from: the remote of one connector
// document. Secrets are references, so that a document can be checked where its
// secrets are not; New resolves them.
type Settings struct {
	Endpoints []string // in communication order
	Token     secret.Ref
	User      string
	Password  secret.Ref
	Values    map[string]any // kind-specific, as YAML has them

	Agent   string        // the User-Agent that requests carry: "tieline/1.2.3 (server1)"; "" = "tieline"
	Timeout time.Duration // of one request, dialling to the last byte; 0 = DefaultTimeout
	Client  *http.Client  // nil = one of the adapter's own; its Timeout and redirects are not used
	// Resolve reads a secret; nil = secret.Ref.Resolve.
	Resolve func(secret.Ref) (secret.String, error)
	Log     *slog.Logger // nil = silent
}

// Kind is one entry of the composition root's table of adapters.
type Kind struct {
	// Check returns every problem of the settings, with paths as in a connector
	// document ("remote.settings.queue"). It resolves no secret and calls nobody.
	Check func(Settings) []fault.Problem
	// New returns the adapter. It calls nobody; its error is a *fault.Error of
	// kind Invalid that lists what Check found, or names the secret that is missing.
	New func(Settings) (Adapter, error)
	// Inbox names the place that news is taken away from, so that no two
	// connectors may have the same; "" = none. nil = this kind has none: its news
	// is read and stays where it is.
	Inbox func(Settings) string
}

// DefaultTimeout bounds one request where Settings.Timeout is 0.
const DefaultTimeout = 10 * time.Second

// TimeoutOrDefault returns how long one request may take.
func (s Settings) TimeoutOrDefault() time.Duration {
	if s.Timeout <= 0 {
		return DefaultTimeout
	}
	return s.Timeout
}

// Logger returns the logger, or one that drops everything.
func (s Settings) Logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// Secret resolves a reference. Its error is a *fault.Error of kind Invalid
// naming the path in the document where the reference stands.
func (s Settings) Secret(path string, ref secret.Ref) (secret.String, error) {
	resolve := s.Resolve
	if resolve == nil {
		resolve = secret.Ref.Resolve
	}
	value, err := resolve(ref)
	if err != nil {
		return secret.String{}, fault.InvalidInput("the remote system's credentials cannot be read",
			[]fault.Problem{{Path: path, Message: err.Error()}})
	}
	return value, nil
}
