package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
	"tieline/internal/service/alerts"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
)

// Prefix is before the path of every operation.
const Prefix = "/api/v1"

// Services are what the operations call. Those of a nil service are left out.
type Services struct {
	Overview     *overview.Service
	Availability *availability.Service
	Alerts       *alerts.Service
	Access       *access.Service
	Documents    *documents.Service
}

// Options are what New is told besides.
type Options struct {
	Version string       // of the program
	Log     *slog.Logger // nil = none
	// Origin says where a password comes from, for the throttle; nil = it is not known.
	Origin func(r *http.Request, account string) access.Origin
}

// API collects operations. Only New makes one.
type API struct {
	huma   huma.API
	log    *slog.Logger
	routes []guard.Route
	adding guard.Route // what Register is told of the next route
	origin func(r *http.Request, account string) access.Origin
}

// New returns the routes of all operations, and of the documents about them.
func New(s Services, o Options) []guard.Route {
	a := newAPI(o)
	if s.Access != nil {
		registerAccounts(a, s.Access)
		registerTokens(a, s.Access)
		registerAudit(a, s.Access)
	}
	if s.Overview != nil && s.Availability != nil {
		registerConnectors(a, s.Overview, s.Availability)
		registerServers(a, s.Overview, s.Availability)
	}
	if s.Documents != nil {
		registerDocuments(a, s.Documents)
	}
	if s.Alerts != nil {
		registerAlerts(a, s.Alerts)
	}
	return append(a.routes, a.documents()...)
}

func newAPI(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Origin == nil {
		o.Origin = func(*http.Request, string) access.Origin { return access.Origin{} }
	}
	a := &API{log: o.Log, origin: o.Origin}
	c := huma.DefaultConfig("Tieline", o.Version)
	// Its own documents are served by routes of ours, and its pages load scripts
	// from other hosts.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.RejectUnknownQueryParameters = true // a wrong name would answer as if nothing had been asked
	c.Info.Description = description
	c.Servers = []*huma.Server{{URL: Prefix}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: `An API token: made at /settings/tokens or by "tieline token create".`},
		"session": {Type: "apiKey", In: "cookie", Name: "tieline-session", Description: "A signed-in browser; the cookie's name ends with the beginning of the management group's id. Changes also need the header X-CSRF-Token."},
	}
	a.huma = humago.NewWithPrefix(collector{a}, Prefix, c)
	return a
}

const description = `Everything the console does. Errors are problem details (RFC 9457). Each operation names
the permission it needs as x-permission: view (any role), operate (operator, admin) or administer (admin).`

// Register adds an operation: its method and path (below Prefix), what it needs
// of whoever asks, and a handler whose errors are faults. The operation's ID is
// what the audit calls it.
func Register[I, O any](a *API, op huma.Operation, needs access.Permission, handler func(context.Context, *I) (*O, error)) {
	if op.OperationID == "" || op.Summary == "" || len(op.Tags) == 0 {
		panic("api: operation " + op.Path + " lacks an ID, a summary or a tag")
	}
	checkInput(reflect.TypeFor[I](), op.OperationID)
	op.Extensions = map[string]any{"x-permission": needs.String()}
	op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusServiceUnavailable)
	if _, takes := reflect.TypeFor[I]().FieldByName("Body"); takes {
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
	}
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	a.adding = guard.Route{Needs: needs, Action: op.OperationID, Body: max(op.MaxBodyBytes, guard.MaxBody), Work: work[op.OperationID]}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, op, err)
		}
		return out, nil
	})
}

// work is what operations wait for besides the database.
var work = map[string]guard.Work{
	"refresh": guard.Patient, "probe-remote": guard.Patient, "dry-run": guard.Patient,
	"add-account": guard.Patient, "change-account": guard.Patient, "change-own-password": guard.Patient,
}

// checkInput refuses an input that embeds an unexported type, itself or in its
// body: the library would leave its fields empty, and refuse who sends them.
func checkInput(t reflect.Type, operation string) {
	if t.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous && !f.IsExported() {
			panic("api: the input of " + operation + " embeds the unexported type " + f.Type.String())
		}
		if f.Name == "Body" {
			checkInput(f.Type, operation)
		}
	}
}

// problem makes a handler's error into what is answered.
func (a *API) problem(ctx context.Context, op huma.Operation, err error) error {
	err, _ = guard.Late(ctx, err)
	p := guard.ProblemOf(err)
	if p.Status == http.StatusInternalServerError {
		who, _ := access.From(ctx)
		a.log.ErrorContext(ctx, "an API operation failed", "operation", op.OperationID, "user", who.Name, "err", err)
	}
	return p
}

// collector takes the routes that the library would give to a mux.
type collector struct{ *API }

// HandleFunc implements humago.Mux.
func (c collector) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r := c.adding
	r.Pattern, r.Handler = pattern, http.HandlerFunc(handler)
	c.routes = append(c.routes, r)
}

// ServeHTTP implements humago.Mux; the routes are served by the guard's mux.
func (c collector) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNotFound)
}

// documents serves the OpenAPI document, made once.
func (a *API) documents() []guard.Route {
	spec := a.huma.OpenAPI()
	asJSON, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		panic(err) // made of our own types
	}
	asYAML, err := spec.YAML()
	if err != nil {
		panic(err)
	}
	return []guard.Route{
		{Pattern: "GET " + Prefix + "/openapi.json", Needs: access.View, Work: guard.Still, Handler: document("application/openapi+json", asJSON)},
		{Pattern: "GET " + Prefix + "/openapi.yaml", Needs: access.View, Work: guard.Still, Handler: document("application/openapi+yaml", asYAML)},
		// What is under the prefix and no operation, so that the answer is a problem
		// and not the console's page.
		{Pattern: "GET " + Prefix + "/", Needs: access.View, Handler: http.HandlerFunc(noOperation)},
	}
}

func document(kind string, text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text) // the client may have left
	})
}

func noOperation(w http.ResponseWriter, r *http.Request) {
	guard.WriteProblem(w, fault.New(fault.NotFound, "the API has no "+strings.TrimPrefix(r.URL.Path, Prefix)).
		WithNext("GET "+Prefix+"/openapi.json lists its operations."))
}
