package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"

	"tieline/internal/access"
	"tieline/internal/access/guard"
)

//go:embed assets
var assetFiles embed.FS

// assets are the embedded files by the name they are served under, which has
// their content's hash in it: browsers keep them for ever.
type assets struct {
	urls  map[string]string // by file name
	files map[string]asset  // by served name
}

type asset struct {
	kind string
	body []byte
}

// assetPath is where they are served.
const assetPath = "/assets/"

func loadAssets() *assets {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	for _, name := range mustGlob(assetFiles, "assets/*") {
		a.load(path.Base(name))
	}
	return a
}

// imported finds the modules that a script imports from beside it.
var imported = regexp.MustCompile(`"\./([a-z]+\.js)"`)

// comments are for readers of the source: they are not sent. In a script only
// those that have their lines to themselves are found.
var comments = map[string]*regexp.Regexp{
	".js":  regexp.MustCompile(`(?m)^[ \t]*//.*\n`),
	".css": regexp.MustCompile(`(?s)/\*.*?\*/\n*`),
	".svg": regexp.MustCompile(`(?s)<!--.*?-->\n*`),
}

// Space that a style sheet does not need is not sent either: about a twelfth of it.
var (
	besides = regexp.MustCompile(`\s*([{};,])\s*`)
	colons  = regexp.MustCompile(`: +`) // of declarations: one in a selector has no space behind it
)

// load serves a file and returns its served name. A script that imports another
// names it by its served name, so a change of either changes both.
func (a *assets) load(name string) string {
	if known, ok := a.urls[name]; ok {
		return path.Base(known)
	}
	body, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is embedded, or a script imports what is not there
	}
	ext := path.Ext(name)
	if c, ok := comments[ext]; ok {
		body = c.ReplaceAll(body, nil)
	}
	if ext == ".css" {
		body = colons.ReplaceAll(besides.ReplaceAll(body, []byte("$1")), []byte(":"))
	}
	if ext == ".js" {
		body = imported.ReplaceAllFunc(body, func(found []byte) []byte {
			return []byte(`"./` + a.load(string(imported.FindSubmatch(found)[1])) + `"`)
		})
	}
	sum := sha256.Sum256(body)
	served := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	a.urls[name] = assetPath + served
	a.files[served] = asset{kind: kindOf(ext), body: body}
	return served
}

// kindOf is the media type of an extension, whatever the system's own table says.
func kindOf(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

// url is the address of an asset, for templates.
func (a *assets) url(name string) (string, error) {
	served, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return served, nil
}

func (c *Console) assetRoutes() []guard.Route {
	return []guard.Route{
		{Pattern: "GET " + assetPath + "{name}", Needs: access.Public, Work: guard.Still, Handler: c.assets},
		{Pattern: "GET /favicon.ico", Needs: access.Public, Work: guard.Still, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, c.assets.urls["icon.svg"], http.StatusFound)
		})},
	}
}

// ServeHTTP serves an asset.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.body) // the client may have left
}
