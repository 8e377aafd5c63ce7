package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// unasked are the functions that call transact instead of write, and what keeps
// each from changing a database that the management group has left.
var unasked = map[string]string{
	"write":          "asks",
	"bisect":         "its statements compare engine.InService",
	"SaveDocument":   "asks once it has the group's row",
	"administer":     "locks the group",
	"ChangeAccount":  "locks the group",
	"RemoveAccount":  "locks the group",
	"SetUp":          "locks the group",
	"join":           "locks the group",
	"JoinConnectors": "locks the group",
	"writeFenced":    "compares the term",
	"Receive":        "compares the term",
	"Record":         "is of a claim, whose outcome the copy has in doubt",
	"Leave":          "is of a process, whose row a copy gives up",
	"whileCalled":    "is the copy, and compares the group's name",
	"quiet":          "is the copy, and changes nothing",
	"settledName":    "is the copy, and changes nothing",
}

// TestWhoWritesUnasked: whatever is added and is not fenced calls write.
func TestWhoWritesUnasked(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files, found := token.NewFileSet(), map[string]bool{}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "transact" {
					found[f.Name.Name] = true
					if unasked[f.Name.Name] == "" {
						t.Errorf("%s: %s is fenced by nothing that is listed here: it should call write", files.Position(s.Pos()), f.Name.Name)
					}
				}
				return true
			})
		}
	}
	for name := range unasked {
		if !found[name] {
			t.Errorf("%s does not call transact any more", name)
		}
	}
}
