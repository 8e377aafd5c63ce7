package documents

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"tieline/internal/connector/edit"
)

// SourceToken is a token that was made for a source. It is stored nowhere; the
// document names where the servers find it.
type SourceToken struct {
	Source    string
	Text      string // what the source presents
	Reference string // what the document says: "env:AM_WEB_TOKEN"
	Variable  string // the environment variable by which it is usually named
}

// MakeToken makes a token for the source at place i of a state's document. Where
// the document refers to none yet, the draft does from then on; its error is then
// that of Edit. It returns the state after it.
func (s *Service) MakeToken(ctx context.Context, who string, state State, i int) (SourceToken, State, error) {
	source := state.Doc.Sources[i]
	token := SourceToken{Source: source.Name, Text: newToken(), Reference: string(source.Token), Variable: TokenName(source.Name)}
	if token.Reference != "" {
		return token, state, nil
	}
	token.Reference = "env:" + token.Variable
	set, err := Set(edit.At("sources").Item(i).Key("token").String(), token.Reference)
	if err == nil {
		state, err = s.Edit(ctx, who, state.Connector, state.Seen(), set)
	}
	if err != nil {
		return SourceToken{}, State{}, err
	}
	return token, state, nil
}

// newToken is 256 random bits.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// TokenName is the environment variable by which a source's token is usually
// named: AM_WEB_TOKEN for "am-web".
func TokenName(source string) string {
	return strings.ToUpper(strings.ReplaceAll(source, "-", "_")) + "_TOKEN"
}
