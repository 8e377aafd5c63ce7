package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tieline"

// allowed is ARCHITECTURE.md's import table: what a package (or, with "/...",
// a folder) may import of ours, tests aside. A package that is not in it fails,
// so that none is added without deciding where it stands.
var allowed = map[string][]string{
	"internal/alert":  {},
	"internal/secret": {},
	"internal/fault":  {},
	"internal/ha":     {},

	"internal/connector": {"alert", "fault", "secret"},
	"internal/source":    {"alert", "fault", "secret"},
	"internal/remote":    {"alert", "fault", "secret"},
	"internal/config":    {"fault", "secret"},

	"internal/connector/edit": {"fault"},

	"internal/source/...": {"source", "alert", "fault", "secret"},
	"internal/remote/...": {"remote", "alert", "fault", "secret"},

	"internal/intake":  {"alert", "connector", "ha", "source", "fault", "secret"},
	"internal/forward": {"alert", "connector", "ha", "source", "remote", "fault"},

	"internal/retention": {"alert", "ha", "forward"},

	"internal/nudge": {"secret"},

	"internal/store":     {"nudge", "alert", "connector", "ha", "fault", "secret", "intake", "forward", "retention", "access", "store/..."},
	"internal/store/...": {"alert", "connector", "ha", "fault", "secret", "intake", "forward", "store/..."},

	"internal/access":     {"fault", "secret"},
	"internal/access/...": {"access", "fault", "secret"},
	"internal/api":        {"service/...", "access", "access/...", "alert", "connector", "connector/edit", "ha", "fault", "secret"},

	"internal/console":     {"service/...", "access", "access/...", "connector", "connector/edit", "alert", "ha", "fault", "secret"},
	"internal/service/...": {"store", "access", "alert", "connector", "connector/edit", "ha", "intake", "forward", "remote", "source", "fault", "secret"},

	"internal/service/availability": {"service/overview", "store", "access", "connector", "connector/edit", "ha", "fault"},
	"internal/service/alerts":       {"store", "access", "intake", "forward", "alert", "connector", "ha", "fault"},

	"internal/metrics": {"alert", "ha", "fault"},
	"internal/ledger":  {"alert"},

	"internal/forward/forwardtest": {"forward", "alert", "connector", "ha", "remote", "source"},
	"internal/hatest":              {"ha"},
	"internal/storetest":           {"storetest/tds", "store", "store/...", "alert", "connector", "ha", "hatest", "intake", "forward", "retention", "access", "fault", "secret"},
	"internal/storetest/peer":      {},
	"internal/storetest/tds":       {"storetest/tds/wire"},
	"internal/storetest/tds/wire":  {},
	"internal/sourcetest":          {"source", "alert", "fault"},
	"internal/remotetest":          {"remote", "alert", "fault", "secret"},
	"internal/archtest":            {},
}

// free may import everything of ours, but each other only as listed.
var free = map[string][]string{
	"internal/app":  nil,
	"internal/demo": {"internal/app"},
	"internal/cli":  {"internal/app", "internal/demo"},
	"cmd/tieline":   {"internal/cli"},
	"internal/sim":  nil,
	"test/cluster":  nil,
	"test/faults":   {"test/cluster"},
	"test/browser":  {"test/cluster"},
}

func TestImports(t *testing.T) {
	for pkg, files := range packages(t) {
		for _, file := range files {
			if strings.HasSuffix(file.name, "_test.go") {
				continue
			}
			for _, imp := range file.ast.Imports {
				path, _ := strconv.Unquote(imp.Path.Value)
				path, ours := strings.CutPrefix(path, module+"/")
				if ours && !mayImport(t, pkg, path) {
					t.Errorf("%s: %s may not import %s; see the table in imports_test.go", file.name, pkg, path)
				}
			}
		}
	}
}

func mayImport(t *testing.T, pkg, path string) bool {
	if strings.HasPrefix(pkg, "internal/sim/") {
		pkg = "internal/sim"
	}
	if list, ok := free[pkg]; ok {
		_, top := free[path]
		return !top || slices.Contains(list, path)
	}
	list, ok := allowed[pkg]
	if !ok {
		list, ok = allowed[filepath.Dir(pkg)+"/..."]
	}
	if !ok {
		t.Errorf("%s is not in the import table: decide where it stands", pkg)
		return true
	}
	return slices.ContainsFunc(list, func(entry string) bool {
		entry = "internal/" + entry
		folder, deep := strings.CutSuffix(entry, "/...")
		return path == entry || deep && strings.HasPrefix(path, folder+"/")
	})
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for pkg, files := range packages(t) {
		documented, code := false, false
		for _, file := range files {
			if strings.HasSuffix(file.name, "_test.go") {
				continue
			}
			code = true
			documented = documented || file.ast.Doc != nil && len(file.ast.Doc.Text()) > 40
		}
		if code && !documented {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

type source struct {
	name string
	ast  *ast.File
}

// packages parses every Go file of the module, by folder relative to its root.
func packages(t *testing.T) map[string][]source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]source{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "bench" || strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, filepath.Dir(path))
		rel = filepath.ToSlash(rel)
		found[rel] = append(found[rel], source{filepath.ToSlash(path), file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 15 {
		t.Fatalf("only %d packages found under %s: the walk is wrong", len(found), root)
	}
	return found
}
