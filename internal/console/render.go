package console

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:templates
var templateFiles embed.FS

// templates are the pages, each with the layout and the shared parts around it.
type templates struct {
	base  *template.Template            // what all pages share
	pages map[string]*template.Template // by file name: "overview.html"
}

// shared are the templates that every page may use.
var shared = []string{"layout.html", "parts.html"}

// parseTemplates parses every page. Files whose name begins with "_" are parts
// of pages: like the shared ones, they may be used by all.
func parseTemplates(a *assets) *templates {
	base := template.New("").Funcs(functions(a)).Option("missingkey=error")
	names := mustGlob(templateFiles, "templates/*.html")
	for _, name := range names {
		if isShared(name) {
			template.Must(base.ParseFS(templateFiles, name))
		}
	}
	t := &templates{base: template.Must(base.Clone()), pages: map[string]*template.Template{}}
	for _, name := range names {
		if !isShared(name) {
			t.pages[path.Base(name)] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, name))
		}
	}
	return t
}

func isShared(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, "_") || base == shared[0] || base == shared[1]
}

func mustGlob(files fs.FS, pattern string) []string {
	names, err := fs.Glob(files, pattern)
	if err != nil || len(names) == 0 {
		panic("console: no files " + pattern)
	}
	return names
}

// fragmentOf names the one template of a page that a script asks for, to bring a
// list up to date (see live.js); "" = the page.
func fragmentOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return r.URL.Query().Get("fragment")
}

// render answers with a page: the template's "content" in the layout, or the one
// template that was asked for. Nothing is written unless all of it could be
// rendered.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	part := "layout"
	if fragment := fragmentOf(r); fragment != "" {
		if part = fragment; !c.templates.own(name, part) {
			http.Error(w, "This page has no part of that name.", http.StatusNotFound)
			return
		}
	}
	var b bytes.Buffer
	if err := c.templates.page(name).ExecuteTemplate(&b, part, data); err != nil {
		c.Log.ErrorContext(r.Context(), "a page could not be rendered", "page", name, "err", err)
		http.Error(w, "This page could not be made; the server's log has the cause.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have left
}

// page returns a page's templates. A name that there is none of is a mistake in
// the program.
func (t *templates) page(name string) *template.Template {
	p, ok := t.pages[name]
	if !ok {
		panic("console: there is no template " + name)
	}
	return p
}

// own reports whether a template is a page's own, and whole: what pages share
// needs more around it.
func (t *templates) own(page, name string) bool {
	return name != "content" && name != "head" && t.base.Lookup(name) == nil && t.page(page).Lookup(name) != nil
}

// panel renders one template of a page alone.
func (t *templates) panel(page, name string, data any) (string, error) {
	var b bytes.Buffer
	err := t.page(page).ExecuteTemplate(&b, name, data)
	return b.String(), err
}
