package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// cost is what one argon2id hash takes.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// current is what new hashes cost, about 30 ms of one core: OWASP's first choice
// of the least there should be. Hashes that cost something else are made anew
// when their owner signs in.
var current = cost{memory: 19 << 10, passes: 2, threads: 1}

const (
	saltSize = 16 // bytes
	hashSize = 32 // bytes
)

// Bounds of a password's length, in characters and bytes. Long ones are hashed
// like short ones; the bound keeps a request from being made of one.
const (
	MinPassword = 12
	maxPassword = 1000
)

// CheckPassword reports what is wrong with a new password for an account, as a
// fault.Invalid error at the field "password".
func CheckPassword(name, password string) error {
	problem := ""
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		problem = fmt.Sprintf("must have at least %d characters", MinPassword)
	case len(password) > maxPassword:
		problem = fmt.Sprintf("must have at most %d bytes", maxPassword)
	case !utf8.ValidString(password):
		problem = "must be UTF-8 text"
	case len(name) > 3 && strings.Contains(strings.ToLower(password), name):
		problem = "must not contain the account's name"
	case len(strings.Trim(password, password[:1])) == 0:
		problem = "must not be one character repeated"
	default:
		return nil
	}
	return fault.InvalidInput("the password cannot be used", []fault.Problem{{Path: "password", Message: problem}})
}

// hasher computes password hashes, a few at a time: each takes 19 MiB, and a
// crowd at the sign-in page must not take the memory the connectors need.
type hasher struct {
	slots chan struct{}
	decoy secret.String // verified in place of an account there is not
}

const hashersAtOnce = 2

func newHasher() *hasher {
	h := &hasher{slots: make(chan struct{}, hashersAtOnce)}
	h.decoy = encode(current, randomBytes(saltSize), randomBytes(hashSize))
	return h
}

// hash returns a new hash of the password in PHC form.
func (h *hasher) hash(ctx context.Context, password string) (secret.String, error) {
	if err := h.enter(ctx); err != nil {
		return secret.String{}, err
	}
	defer h.leave()
	salt := randomBytes(saltSize)
	return encode(current, salt, derive(password, salt, current, hashSize)), nil
}

// verify reports whether the password is the one hashed, and whether the hash
// should be made anew. A hash that is none, such as the empty one of an account
// without password, is compared with the decoy and never fits, so that both take
// the same time.
func (h *hasher) verify(ctx context.Context, password string, hash secret.String) (ok, stale bool, err error) {
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	c, salt, want, known := decode(hash)
	if !known {
		c, salt, want, _ = decode(h.decoy)
	}
	same := subtle.ConstantTimeCompare(derive(password, salt, c, len(want)), want) == 1
	return same && known, c != current, nil
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, context.Cause(ctx), "too many are signing in at this moment").WithNext("Try again in some seconds.")
	}
}

func (h *hasher) leave() { <-h.slots }

func derive(password string, salt []byte, c cost, size int) []byte {
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, uint32(size))
}

// encode writes a hash in PHC form, as argon2's own tools do.
func encode(c cost, salt, hash []byte) secret.String {
	b64 := base64.RawStdEncoding
	return secret.New(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, c.memory, c.passes, c.threads, b64.EncodeToString(salt), b64.EncodeToString(hash)))
}

func decode(hash secret.String) (c cost, salt, sum []byte, ok bool) {
	parts := strings.Split(hash.Reveal(), "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); n != 3 || err != nil {
		return c, nil, nil, false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return c, nil, nil, false
	}
	sum, err = base64.RawStdEncoding.DecodeString(parts[5])
	usable := err == nil && len(sum) >= 16 && c.passes > 0 && c.threads > 0 && c.memory <= 1<<20
	return c, salt, sum, usable
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program ends where there is no randomness
	return b
}
