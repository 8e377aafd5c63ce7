package documents

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
)

// NewToken makes a token for a source: 256 random bits. It is not stored; the
// document names where the servers find it.
func NewToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// TokenName is the environment variable by which a source's token is usually
// named: AM_WEB_TOKEN for "am-web".
func TokenName(source string) string {
	return strings.ToUpper(strings.ReplaceAll(source, "-", "_")) + "_TOKEN"
}
