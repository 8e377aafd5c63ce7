package access

import (
	"context"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

func TestHashes(t *testing.T) {
	h := newHasher()
	a, err := h.hash(t.Context(), "one password")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := h.hash(t.Context(), "one password")
	if a == b {
		t.Error("two hashes of a password are the same: there is no salt")
	}
	if ok, stale, err := h.verify(t.Context(), "one password", a); !ok || stale || err != nil {
		t.Errorf("verified %t, stale %t: %v", ok, stale, err)
	}
	for _, broken := range []string{
		"", "x", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$", "$argon2id$v=19$m=0,t=0,p=0$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
	} {
		if ok, _, err := h.verify(t.Context(), "", secret.New(broken)); ok || err != nil {
			t.Errorf("%q fits the empty password: %v", broken, err)
		}
	}
}

// TestHashersAtOnce: whoever finds all of them busy waits no longer than the request.
func TestHashersAtOnce(t *testing.T) {
	h := newHasher()
	for range hashersAtOnce {
		if err := h.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := h.verify(ctx, "x", h.decoy); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("with all busy: %v", err)
	}
	h.leave()
	if _, _, err := h.verify(t.Context(), "x", h.decoy); err != nil {
		t.Errorf("with one free: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	h := newHasher()
	f.Add(h.decoy.Reveal())
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		c, _, sum, ok := decode(secret.New(text))
		if ok && (len(sum) < 16 || c.passes == 0 || c.threads == 0) {
			t.Errorf("%q is usable: %+v", text, c)
		}
	})
}
