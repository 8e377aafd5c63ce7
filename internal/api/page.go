package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/fault"
)

// PageInput is embedded in the input of an operation that lists.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"300" doc:"Where to go on: next of the page before"`
	url    url.URL
}

// Resolve implements huma.Resolver: the next page's address is made of this one's.
func (p *PageInput) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	return nil
}

// After reads the cursor into v, a pointer to what Next was given; false on the
// first page.
func (p *PageInput) After(v any) (bool, error) {
	if p.Cursor == "" {
		return false, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	// One made up may hold what no row has and no database takes; none of ours has an escape.
	if err != nil || bytes.ContainsRune(text, '\\') || !utf8.Valid(text) {
		return false, fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "query.cursor", Message: "is no cursor of this API"}})
	}
	return true, nil
}

// Page is the answer of an operation that lists.
type Page[T any] struct {
	Link string `header:"Link" doc:"The next page, as <URL>; rel=\"next\""`
	Body PageBody[T]
}

// PageBody is one page of a list.
type PageBody[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one"`
}

// NewPage makes a page of rows. Read p.Limit+1 rows: the one too many says that
// there is a next page, which begins after the place that cursor gives of the
// last row on this one (any value JSON can hold).
func NewPage[R, T any](p *PageInput, rows []R, item func(R) T, cursor func(R) any) *Page[T] {
	var next any
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		next = cursor(rows[p.Limit-1])
	}
	return pageBefore(p, rows, item, next)
}

// pageBefore makes a page of all the rows, before a place where the next one
// begins; nil = it is the last.
func pageBefore[R, T any](p *PageInput, rows []R, item func(R) T, next any) *Page[T] {
	page := &Page[T]{Body: PageBody[T]{Items: make([]T, 0, len(rows))}}
	if next != nil {
		page.Body.Next = encodeCursor(next)
		u, q := p.url, p.url.Query()
		q.Set("cursor", page.Body.Next)
		u.RawQuery = q.Encode()
		page.Link = "<" + u.RequestURI() + `>; rel="next"`
	}
	for _, r := range rows {
		page.Body.Items = append(page.Body.Items, item(r))
	}
	return page
}

func encodeCursor(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own types
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
