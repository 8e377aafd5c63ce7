package api

import (
	"encoding/base64"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// TestCursors: what the API made is read again, and what somebody made up is
// refused before it reaches a database.
func TestCursors(t *testing.T) {
	id := alert.LinkID{Connector: "shop-1", Alert: alert.NewID(), Side: alert.Remote}
	var back alert.LinkID
	in := PageInput{Cursor: encodeCursor(id)}
	if more, err := in.After(&back); !more || err != nil || back != id {
		t.Errorf("%+v comes back as %+v: %v", id, back, err)
	}
	if more, err := (&PageInput{}).After(&back); more || err != nil {
		t.Errorf("no cursor: %t, %v", more, err)
	}
	for name, text := range map[string]string{
		"a NUL":    `{"Connector":"a\u0000"}`,
		"no UTF-8": "{\"Connector\":\"\xff\"}",
		"no JSON":  `{`,
		"no link":  `[1]`,
	} {
		in := PageInput{Cursor: base64.RawURLEncoding.EncodeToString([]byte(text))}
		if _, err := in.After(new(alert.LinkID)); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
