package guard

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Policy is the content security policy of every answer: everything from this
// host, no script or style inside a page.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Headers are those of every answer, and their values. By https there is
// Strict-Transport-Security as well.
func Headers() map[string]string {
	return map[string]string{
		"Content-Security-Policy":      Policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY", // for browsers that do not know frame-ancestors
		"Referrer-Policy":              "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store", // an asset's handler says otherwise
	}
}

func (g *Guard) setHeaders(h http.Header) {
	for name, value := range Headers() {
		h.Set(name, value)
	}
	if g.Secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Address is the client's IP address. Behind proxies that are believed, it is
// the last one of X-Forwarded-For that is none of theirs.
func (g *Guard) Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || !g.believed(host) {
			break
		}
		host = addr.Unmap().String()
	}
	return host
}

func (g *Guard) believed(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(g.Proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}
