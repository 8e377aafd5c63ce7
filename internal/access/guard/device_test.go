package guard

import (
	"net/http/httptest"
	"testing"

	"tieline/internal/access"
	"tieline/internal/secret"
)

// TestKnownBrowser: whoever signed in with a password proves it later, for that
// account alone, and at every server of the group alone.
func TestKnownBrowser(t *testing.T) {
	s := newSite(t, Config{Key: secret.New("of the group")})
	w := httptest.NewRecorder()
	if err := s.guard.SignIn(w, httptest.NewRequest("POST", "/sign-in", nil), access.Account{Name: "ann", Role: access.Admin, Generation: 1}, access.ViaSession); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/sign-in", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	other := New(Config{Access: s.memory, Key: secret.New("of the group")})
	if from := other.From(r, " Ann"); from.Device == "" || from.Address != "192.0.2.1" {
		t.Errorf("ann's browser comes from %+v", from)
	}
	for name, from := range map[string]access.Origin{
		"another account":         other.From(r, "bob"),
		"a stranger":              other.From(httptest.NewRequest("POST", "/sign-in", nil), "ann"),
		"another group":           New(Config{Key: secret.New("another")}).From(r, "ann"),
		"a group that has no key": New(Config{}).From(r, "ann"),
	} {
		if from.Device != "" {
			t.Errorf("%s is known: %+v", name, from)
		}
	}
}
