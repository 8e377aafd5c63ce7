package connector

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

// decoder fills a value from a YAML tree strictly: an unknown or repeated key
// and a value of the wrong kind are problems with path and line, and decoding
// goes on to find the rest. It notes which paths were given, so that defaults
// tell "not given" from zero.
type decoder struct {
	problems []fault.Problem
	given    map[string]bool
}

// maxDepth bounds how deep settings may nest.
const maxDepth = 40

var (
	durationType = reflect.TypeFor[Duration]()
	valueType    = reflect.TypeFor[Value]()
	plainKey     = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	message := fmt.Sprintf("line %d: ", n.Line) + fmt.Sprintf(format, args...)
	d.problems = append(d.problems, fault.Problem{Path: path, Message: message})
}

// decode fills v, which is addressable, from the node.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if !d.plain(n, path) || n.ShortTag() == "!!null" {
		return
	}
	d.given[path] = true
	switch {
	case v.Type() == durationType:
		d.duration(n, v, path)
	case v.Type() == valueType:
		d.value(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map:
		d.table(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

// plain refuses anchors and aliases: a document is data to be read from top to
// bottom, and aliases can blow a small text up to a huge one.
func (d *decoder) plain(n *yaml.Node, path string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, path, "anchors (&name) and aliases (*name) are not supported; write the value out")
		return false
	}
	return true
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := make(map[string]int)
	var known []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = i
		known = append(known, name)
	}
	d.eachPair(n, path, func(key, value *yaml.Node, at string) {
		i, ok := fields[key.Value]
		if !ok {
			d.fail(key, at, "unknown key %q; known here: %s", key.Value, strings.Join(known, ", "))
			return
		}
		d.decode(value, v.Field(i), at)
	})
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, path string) {
	table := reflect.MakeMap(v.Type())
	d.eachPair(n, path, func(key, value *yaml.Node, at string) {
		element := reflect.New(v.Type().Elem()).Elem()
		if element.Kind() == reflect.Interface {
			if converted := d.free(value, at, 0); converted != nil {
				element.Set(reflect.ValueOf(converted))
			}
		} else {
			d.decode(value, element, at)
		}
		table.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), element)
	})
	if table.Len() > 0 {
		v.Set(table)
	}
}

// eachPair calls visit for the pairs of a mapping, each with its path.
func (d *decoder) eachPair(n *yaml.Node, path string, visit func(key, value *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "expected keys with values, found %s", kindOf(n))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.ShortTag() == "!!merge" {
			d.fail(key, path, "a key must be plain text")
			continue
		}
		at := join(path, key.Value)
		if seen[key.Value] {
			d.fail(key, at, "key %q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		visit(key, value, at)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "expected a list, found %s", kindOf(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decode(item, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	if list.Len() > 0 {
		v.Set(list)
	}
}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, path string) {
	t, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.fail(n, path, `expected a duration with its unit, such as "30s" or "5m", found %s`, kindOf(n))
		return
	}
	v.SetInt(int64(t))
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode {
		v.Set(reflect.ValueOf(Value{Template: n.Value}))
		return
	}
	var expression struct {
		CEL string `yaml:"cel"`
	}
	before := len(d.problems)
	d.structure(n, reflect.ValueOf(&expression).Elem(), path)
	if len(d.problems) == before && expression.CEL == "" {
		d.fail(n, path, `expected a template, or {cel: "expression"}`)
	}
	v.Set(reflect.ValueOf(Value{CEL: expression.CEL}))
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "expected %s, found %s", wantedOf(v), kindOf(n))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		err = n.Decode(&b)
		v.SetBool(b)
	case reflect.Int:
		var i int64
		i, err = strconv.ParseInt(n.Value, 10, 32)
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(n.Value, 64)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			err = strconv.ErrRange
		}
		v.SetFloat(f)
	}
	if err != nil {
		d.fail(n, path, "expected %s, found %s", wantedOf(v), kindOf(n))
	}
}

// free converts a kind-specific setting to what encoding/json would give, with
// int for whole numbers.
func (d *decoder) free(n *yaml.Node, path string, depth int) any {
	if !d.plain(n, path) {
		return nil
	}
	if depth > maxDepth {
		d.fail(n, path, "nested more than %d deep", maxDepth)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		table := make(map[string]any)
		d.eachPair(n, path, func(key, value *yaml.Node, at string) {
			table[key.Value] = d.free(value, at, depth+1)
		})
		return table
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.free(item, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return list
	default:
		return d.freeScalar(n, path)
	}
}

func (d *decoder) freeScalar(n *yaml.Node, path string) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.fail(n, path, "expected a finite number, found %s", kindOf(n))
			return nil
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int(f)
		}
		return f
	}
	return n.Value
}

// join appends a key to a path, quoting it where it would read as several.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	return strings.TrimPrefix(path+"."+key, ".")
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	}
	// Long texts are cut: the message is to point at the place, not repeat it.
	text := []rune(n.Value)
	if len(text) > 40 {
		text = append(slices.Clip(text[:40]), '…')
	}
	return strconv.Quote(string(text))
}

func wantedOf(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	default:
		return "a number"
	}
}
