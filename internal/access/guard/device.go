package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"tieline/internal/access"
)

const (
	deviceCookie = "device"
	deviceTime   = 180 * 24 * 60 * 60 // seconds until a browser is a stranger again
)

// From is where a sign-in to an account comes from. A browser in which somebody
// signed in to it with its password before has proof of that: a random name and
// a code over both, which the servers of the group alone can make.
func (g *Guard) From(r *http.Request, account string) access.Origin {
	from := access.Origin{Address: g.Address(r)}
	device, code, ok := strings.Cut(g.Cookie(r, deviceCookie), ".")
	if ok && !g.Key.IsZero() && hmac.Equal([]byte(code), []byte(g.deviceCode(device, account))) {
		from.Device = device
	}
	return from
}

// know lets the browser prove later that the account signed in there.
func (g *Guard) know(w http.ResponseWriter, account string) {
	if g.Key.IsZero() {
		return
	}
	device := rand.Text()
	g.SetCookie(w, deviceCookie, device+"."+g.deviceCode(device, account), deviceTime)
}

func (g *Guard) deviceCode(device, account string) string {
	mac := hmac.New(sha256.New, []byte(g.Key.Reveal()))
	mac.Write([]byte("device\x00" + device + "\x00" + strings.ToLower(strings.TrimSpace(account))))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
