package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tieline/internal/access"
)

func TestDocument(t *testing.T) {
	routes := New(Services{Access: access.New(nil, "one", nil)}, Options{Version: "1.2.3"})
	for _, r := range routes {
		if !strings.HasSuffix(r.Pattern, "/openapi.json") {
			continue
		}
		w := httptest.NewRecorder()
		r.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/openapi.json", nil))
		for _, want := range []string{`"openapi": "3.1.0"`, `"x-permission": "administer"`, `"/accounts/{name}"`, `application/problem+json`, `"1.2.3"`} {
			if !bytes.Contains(w.Body.Bytes(), []byte(want)) {
				t.Errorf("the OpenAPI document lacks %s", want)
			}
		}
		return
	}
	t.Fatal("there is no OpenAPI document")
}
