package guard

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"

	"tieline/internal/access"
)

// What a session's data has.
const (
	keyAccount    = "account"
	keyGeneration = "generation"
	keyRole       = "role"
	keyVia        = "via"
	keyCSRF       = "csrf"
	keyAddress    = "address"
)

// newSessions configures the session library. It makes ids, hashes them and
// writes cookies; how long a session lives without use is the database's to say.
// The library's own New would also begin a store in memory, with a goroutine that
// cannot be ended reliably.
func (g *Guard) newSessions() *scs.SessionManager {
	return &scs.SessionManager{
		Store:            sessionStore{g.Access},
		Codec:            codec{},
		HashTokenInStore: true,
		Lifetime:         access.SessionLifetime,
		Cookie: scs.SessionCookie{
			Name: g.cookieName("session"), Path: "/", HttpOnly: true, Secure: g.Secure(), Persist: true,
			SameSite: http.SameSiteLaxMode, // Strict would lose it on the way back from an OpenID provider and from a ticket's link
		},
	}
}

// resume finds the session of a visit. None is no error.
func (g *Guard) resume(r *http.Request, v *visit) error {
	cookie, err := r.Cookie(g.sessions.Cookie.Name)
	if err != nil {
		return nil
	}
	ctx, err := g.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return err
	}
	name := g.sessions.GetString(ctx, keyAccount)
	if name == "" {
		return nil
	}
	v.who = access.Principal{Name: name, Role: access.Role(g.sessions.GetString(ctx, keyRole)), Via: g.sessions.GetString(ctx, keyVia)}
	v.csrf = g.sessions.GetString(ctx, keyCSRF)
	return nil
}

// SignIn begins a session of the account, under a new id, and ends the one the
// browser had. Call it before anything is written.
func (g *Guard) SignIn(w http.ResponseWriter, r *http.Request, a access.Account, via string) error {
	var old string
	if cookie, err := r.Cookie(g.sessions.Cookie.Name); err == nil {
		old = cookie.Value
	}
	ctx, err := g.sessions.Load(r.Context(), old)
	if err != nil {
		return err
	}
	if err := g.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := g.sessions.RenewToken(ctx); err != nil {
		return err
	}
	for key, value := range map[string]string{
		keyAccount: a.Name, keyGeneration: strconv.FormatInt(a.Generation, 10), keyRole: string(a.Role), keyVia: via,
		keyCSRF: rand.Text(), keyAddress: g.Address(r),
	} {
		g.sessions.Put(ctx, key, value)
	}
	id, expiry, err := g.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	g.sessions.WriteSessionCookie(ctx, w, id, expiry)
	if via == access.ViaSession {
		g.know(w, a.Name)
	}
	w.Header().Set("Cache-Control", "no-store")
	if v := visitOf(r.Context()); v != nil {
		v.who = access.Principal{Name: a.Name, Role: a.Role, Via: via} // for the audit
	}
	return nil
}

// SignOut ends the browser's session, if it has one.
func (g *Guard) SignOut(w http.ResponseWriter, r *http.Request) error {
	cookie, err := r.Cookie(g.sessions.Cookie.Name)
	if err != nil {
		return nil
	}
	ctx, err := g.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return err
	}
	if err := g.sessions.Destroy(ctx); err != nil {
		return err
	}
	g.sessions.WriteSessionCookie(ctx, w, "", time.Time{})
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

// sessionStore is the library's store over ours. The ids it is given are hashed.
type sessionStore struct{ access Access }

var _ scs.CtxStore = sessionStore{}

func (s sessionStore) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	if v := visitOf(ctx); v != nil {
		v.session = hash
	}
	return s.access.Session(ctx, hash)
}

func (s sessionStore) CommitCtx(ctx context.Context, hash string, data []byte, expiry time.Time) error {
	_, values, err := codec{}.Decode(data)
	if err != nil {
		return err
	}
	text := func(key string) string { t, _ := values[key].(string); return t }
	generation, err := strconv.ParseInt(text(keyGeneration), 10, 64)
	if err != nil {
		return errors.New("a session without an account is not stored")
	}
	return s.access.SaveSession(ctx, access.Session{
		Hash: hash, Account: text(keyAccount), Generation: generation, Data: data,
		Lifetime: time.Until(expiry), Address: text(keyAddress),
	})
}

func (s sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	return s.access.EndSession(ctx, hash)
}

// The library calls those above in their place.

func (s sessionStore) Find(hash string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), hash)
}

func (s sessionStore) Commit(hash string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), hash, data, expiry)
}

func (s sessionStore) Delete(hash string) error { return s.DeleteCtx(context.Background(), hash) }

// codec writes a session's data as JSON: texts only, the same for every version
// of the program.
type codec struct{}

type coded struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// Encode implements scs.Codec.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	c := coded{deadline, make(map[string]string, len(values))}
	for key, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, errors.New("a session's value is no text: " + key)
		}
		c.Values[key] = text
	}
	return json.Marshal(c)
}

// Decode implements scs.Codec.
func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var c coded
	if err := json.Unmarshal(data, &c); err != nil {
		return time.Time{}, nil, err
	}
	values := make(map[string]any, len(c.Values))
	for key, value := range c.Values {
		values[key] = value
	}
	return c.Deadline, values, nil
}
