package webhook

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"tieline/internal/fault"
	"tieline/internal/remote"
	"tieline/internal/secret"
)

// config is what Settings say.
type config struct {
	auth, authHeader string
	headers          map[string]*text
	secretHeaders    map[string]secret.Ref
	keyHeader        string
	idempotent       bool
	keyLife, settle  time.Duration
	ended            []string
	caFile           string

	create, update, probe call
	note, lookup          *call // nil = not offered
}

// call is one request's form and what its answer tells.
type call struct {
	method, contentType string
	path, body          *text // body nil = the message in JSON, or none with GET
	ticket, state, url  cel.Program
	tickets             cel.Program
	lenient             bool // expressions were made for another request: what they do not find is not told
	notFoundIsNone      bool // of a lookup
}

func read(s remote.Settings) (config, *remote.Endpoints, []fault.Problem) {
	endpoints, problems := remote.ParseEndpoints(s.Endpoints)
	r := remote.NewReader(s.Values)
	c := config{
		headers: readHeaders(r), secretHeaders: readSecretHeaders(r),
		keyHeader:  r.Text("key_header", "Idempotency-Key"),
		idempotent: r.Bool("idempotent"),
		keyLife:    r.Duration("key_life", 0),
		settle:     r.Duration("settle", 30*time.Second),
		ended:      r.Texts("ended", "resolved", "closed"),
		caFile:     r.Text("ca_file", ""),
	}
	if c.keyHeader != "" && !isToken(c.keyHeader) {
		r.Bad("key_header", "is not a header name")
	}
	if c.keyLife > 0 && !c.idempotent {
		r.Bad("key_life", "has no meaning without idempotent: true")
	}
	if c.idempotent && c.keyHeader == "" && !r.Has("create") {
		r.Bad("key_header", "is required with idempotent: true, or the key in create's body or path")
	}
	c.readAuth(r, s)
	c.readCalls(r)
	r.Done()
	return c, endpoints, append(problems, r.Problems()...)
}

func (c *config) readAuth(r *remote.Reader, s remote.Settings) {
	otherwise := "none"
	switch {
	case s.Token != "":
		otherwise = "bearer"
	case s.Password != "":
		otherwise = "basic"
	}
	c.auth = r.OneOf("auth", otherwise, "bearer", "basic", "header", "none")
	c.authHeader = r.Text("auth_header", "")
	if err := s.Token.Check(); err != nil {
		r.Bad("auth", "remote.token: %v", err)
	}
	if err := s.Password.Check(); err != nil {
		r.Bad("auth", "remote.password: %v", err)
	}
	switch c.auth {
	case "bearer":
		if s.Token == "" {
			r.Bad("auth", "bearer needs remote.token")
		}
	case "basic":
		if s.User == "" || s.Password == "" {
			r.Bad("auth", "basic needs remote.user and remote.password")
		}
	case "header":
		if s.Token == "" || !isToken(c.authHeader) {
			r.Bad("auth", "header needs remote.token and the header's name in auth_header")
		}
	}
	if c.auth != "header" && c.authHeader != "" {
		r.Bad("auth_header", "has no meaning without auth: header")
	}
}

func (c *config) readCalls(r *remote.Reader) {
	create, _ := r.Sub("create")
	c.create = readCall(create, call{method: http.MethodPost, contentType: "application/json", path: literal("")})
	create.Done()

	update, ok := r.Sub("update")
	c.update = c.create
	c.update.ticket = nil
	c.update.lenient = !update.Has("ticket") && !update.Has("state") && !update.Has("url")
	if ok {
		c.update = readCall(update, c.update)
		update.Done()
	}
	if note, ok := r.Sub("note"); ok {
		base := c.create
		base.body = nil
		n := readCall(note, base)
		note.Done()
		c.note = &n
	}
	if lookup, ok := r.Sub("lookup"); ok {
		l := readCall(lookup, call{method: http.MethodGet, contentType: "application/json", path: literal("")})
		if l.tickets = readExpression(lookup, "tickets", cel.ListKind); l.tickets == nil {
			lookup.Required("tickets", "an expression that gives the list of tickets")
		}
		l.notFoundIsNone = lookup.Bool("not_found_is_none")
		lookup.Done()
		c.lookup = &l
	}
	probe, ok := r.Sub("probe")
	c.probe = readCall(probe, call{method: http.MethodGet, path: literal("")})
	if !ok {
		c.probe.method = http.MethodHead
	}
	probe.Done()
}

func readCall(r *remote.Reader, base call) call {
	c := base
	c.method = strings.ToUpper(r.Text("method", base.method))
	allowed := []string{"POST", "PUT", "PATCH"}
	if base.method == http.MethodGet {
		allowed = []string{"GET", "HEAD", "POST"}
	}
	if !slices.Contains(allowed, c.method) {
		r.Bad("method", "must be one of %s", strings.Join(allowed, ", "))
	}
	c.contentType = r.Text("content_type", base.contentType)
	if strings.ContainsFunc(c.contentType, isControl) {
		r.Bad("content_type", "must not have control characters")
	}
	if r.Has("path") {
		c.path = readText(r, "path")
		if source := r.Text("path", ""); source != "" && !strings.ContainsAny(source[:1], "/?{") {
			r.Bad("path", `must begin with "/" or "?"`)
		}
	}
	if r.Has("body") {
		c.body = readText(r, "body")
	}
	c.path.key, c.path.escape = "path", true
	for key, program := range map[string]*cel.Program{"ticket": &c.ticket, "state": &c.state, "url": &c.url} {
		if r.Has(key) {
			*program = readExpression(r, key, cel.StringKind, cel.IntKind)
		}
	}
	// Asked for here, so that every call knows the same keys.
	for _, key := range []string{"path", "body", "ticket", "state", "url"} {
		r.Text(key, "")
	}
	return c
}

func readHeaders(r *remote.Reader) map[string]*text {
	headers := map[string]*text{}
	for name, value := range r.TextMap("headers") {
		if !isToken(name) {
			r.Bad("headers."+name, "is not a header name")
			continue
		}
		t, err := parseText("headers."+name, value)
		if err != nil {
			r.Bad("headers."+name, "%v", err)
			continue
		}
		for _, said := range mistakes(t.parsed) {
			r.Bad("headers."+name, "%s", said)
		}
		headers[name] = t
	}
	return headers
}

func readSecretHeaders(r *remote.Reader) map[string]secret.Ref {
	refs := map[string]secret.Ref{}
	for name, value := range r.TextMap("secret_headers") {
		ref := secret.Ref(value)
		switch err := ref.Check(); {
		case !isToken(name):
			r.Bad("secret_headers."+name, "is not a header name")
		case err != nil:
			r.Bad("secret_headers."+name, "%v", err)
		case ref == "":
			r.Bad("secret_headers."+name, "names no secret")
		}
		refs[name] = ref
	}
	return refs
}

// isToken reports whether a text is a header name (RFC 9110).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Check returns every problem of the settings.
func Check(s remote.Settings) []fault.Problem {
	_, _, problems := read(s)
	return problems
}
