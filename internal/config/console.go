package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Console says how browsers reach the console and the API.
type Console struct {
	URL     *url.URL       // scheme and host browsers use; nil = whatever they use. https makes cookies Secure.
	Proxies []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
}

// Origin is the console's address as text, "" when it was not told.
func (c Console) Origin() string {
	if c.URL == nil {
		return ""
	}
	return c.URL.String()
}

// OIDC says at which OpenID provider people may sign in. It is off while there
// is no issuer.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret secret.Ref
	Label        string   // of the button on the sign-in page
	Scopes       []string // asked for besides openid
	NameClaim    string   // what the account is called
	RoleClaim    string   // a text or a list of texts, compared with the three lists below
	Viewers      []string
	Operators    []string
	Admins       []string
}

// On reports whether people may sign in at a provider.
func (o OIDC) On() bool { return o.Issuer != "" }

func defaultOIDC() OIDC {
	return OIDC{Label: "Sign in with OpenID", Scopes: []string{"profile", "email"}, NameClaim: "preferred_username", RoleClaim: "groups"}
}

func consoleSettings() []Setting {
	return []Setting{
		{
			Key: "console.url", Flag: "console-url", Usage: "URL by which browsers reach the console (https makes its cookies secure)",
			set: setConsoleURL, get: func(c Config) string { return c.Console.Origin() },
		},
		{
			Key: "console.proxies", List: true, Usage: "addresses of reverse proxies whose X-Forwarded-For is believed, separated by commas",
			set: setProxies, get: func(c Config) string { return joinPrefixes(c.Console.Proxies) },
		},
		{
			Key: "oidc.issuer", Usage: "OpenID provider at which people may sign in (default: none)",
			set: setIssuer, get: func(c Config) string { return c.OIDC.Issuer },
		},
		{
			Key: "oidc.client_id", Usage: "what the provider calls Tieline",
			set: func(c *Config, v string) error { c.OIDC.ClientID = v; return nil }, get: func(c Config) string { return c.OIDC.ClientID },
		},
		{
			Key: "oidc.client_secret", Usage: `the client's secret, by reference: "env:NAME" or "file:/path"`,
			set: setClientSecret, get: func(c Config) string { return string(c.OIDC.ClientSecret) },
		},
		{
			Key: "oidc.label", Usage: "text of the button on the sign-in page",
			set: setText(func(c *Config) *string { return &c.OIDC.Label }), get: func(c Config) string { return c.OIDC.Label },
		},
		listSetting("oidc.scopes", "scopes to ask for besides openid", func(c *Config) *[]string { return &c.OIDC.Scopes }),
		{
			Key: "oidc.name_claim", Usage: "claim that has the account's name",
			set: setText(func(c *Config) *string { return &c.OIDC.NameClaim }), get: func(c Config) string { return c.OIDC.NameClaim },
		},
		{
			Key: "oidc.role_claim", Usage: "claim that decides the role: a text or a list",
			set: setText(func(c *Config) *string { return &c.OIDC.RoleClaim }), get: func(c Config) string { return c.OIDC.RoleClaim },
		},
		listSetting("oidc.viewers", `values of the role claim that make a viewer ("*" = everybody)`, func(c *Config) *[]string { return &c.OIDC.Viewers }),
		listSetting("oidc.operators", "values that make an operator", func(c *Config) *[]string { return &c.OIDC.Operators }),
		listSetting("oidc.admins", "values that make an administrator", func(c *Config) *[]string { return &c.OIDC.Admins }),
	}
}

func setConsoleURL(c *Config, v string) error {
	if v == "" {
		c.Console.URL = nil
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New(`must be scheme and host alone, as "https://tieline.example"`)
	}
	c.Console.URL = &url.URL{Scheme: u.Scheme, Host: u.Host}
	return nil
}

func setProxies(c *Config, v string) error {
	c.Console.Proxies = nil
	for _, text := range splitList(v) {
		p, err := netip.ParsePrefix(text)
		if addr, e := netip.ParseAddr(text); e == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return errors.New(strconv.Quote(text) + ` is no address or network, as "10.0.0.7" or "10.0.0.0/24"`)
		}
		c.Console.Proxies = append(c.Console.Proxies, p.Masked())
	}
	return nil
}

func joinPrefixes(all []netip.Prefix) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ",")
}

func setIssuer(c *Config, v string) error {
	u, err := url.Parse(v)
	if v != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "") {
		return errors.New(`must be a URL, as "https://login.example/realms/ops"`)
	}
	c.OIDC.Issuer = v
	return nil
}

func setClientSecret(c *Config, v string) error {
	c.OIDC.ClientSecret = secret.Ref(v)
	return c.OIDC.ClientSecret.Check()
}

// setText sets a text that must not be empty.
func setText(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" || len(v) > 200 {
			return errors.New("must be a text of 1 to 200 bytes")
		}
		*field(c) = v
		return nil
	}
}

// listSetting is a setting of texts separated by commas; a file may have a list.
func listSetting(key, usage string, field func(*Config) *[]string) Setting {
	return Setting{
		Key: key, Usage: usage, List: true,
		set: func(c *Config, v string) error { *field(c) = splitList(v); return nil },
		get: func(c Config) string { return strings.Join(*field(&c), ",") },
	}
}

func splitList(v string) []string {
	var all []string
	for text := range strings.SplitSeq(v, ",") {
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// problems checks what the settings of a provider say together.
func (o OIDC) problems(console Console) []fault.Problem {
	var all []fault.Problem
	add := func(key, message string) { all = append(all, fault.Problem{Path: key, Message: message}) }
	switch {
	case !o.On():
		if o.ClientID != "" || o.ClientSecret != "" {
			add("oidc.issuer", "is not set, but the client is")
		}
		return all
	case o.ClientID == "":
		add("oidc.client_id", "is needed with oidc.issuer")
	}
	if console.URL == nil {
		add("console.url", "is needed with oidc.issuer: the provider sends people back there")
	}
	if len(o.Viewers)+len(o.Operators)+len(o.Admins) == 0 {
		add("oidc.viewers", "at least one of oidc.viewers, oidc.operators and oidc.admins must say who may sign in")
	}
	return all
}
