package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// Bounds of what an answer may bring.
const (
	maxCost    = 1 << 20 // of one evaluation, in CEL's units
	maxName    = 255     // bytes of an id or a state
	maxAddress = 2000    // bytes of a URL
	maxTickets = 1000
	maxField   = 64 << 10 // bytes of a field's value
	maxDepth   = 64       // of nested JSON
)

func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("status", cel.IntType),
		cel.Variable("body", cel.DynType),
		cel.Variable("header", cel.MapType(cel.StringType, cel.StringType)),
		ext.Strings(),
	)
}

// readExpression reads and compiles an expression; its result must be of one of
// the kinds, or dynamic. It returns nil when there is none or it is wrong.
func readExpression(r *remote.Reader, key string, kinds ...cel.Kind) cel.Program {
	source := r.Text(key, "")
	if source == "" {
		return nil
	}
	program, wrong := compile(source, kinds)
	for _, one := range wrong {
		r.Bad(key, "%s", one)
	}
	return program
}

// compile returns the program, or everything that is wrong with the expression.
func compile(source string, kinds []cel.Kind) (_ cel.Program, wrong []string) {
	env, err := environment()
	if err != nil {
		return nil, []string{"the expressions' environment cannot be made: " + remote.Clean(err.Error())}
	}
	ast, issues := env.Compile(source)
	for _, e := range issues.Errors() {
		wrong = append(wrong, fmt.Sprintf("is not an expression: %d:%d: %s", e.Location.Line(), e.Location.Column()+1, remote.Clean(e.Message)))
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	if kind := ast.OutputType().Kind(); kind != cel.DynKind && !slices.Contains(kinds, kind) {
		return nil, []string{fmt.Sprintf("gives %s, which is of no use here", ast.OutputType())}
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(1000))
	if err != nil {
		return nil, []string{"cannot be run: " + remote.Clean(err.Error())}
	}
	return program, nil
}

// variables are what expressions see of an answer.
func variables(a remote.Answer) map[string]any {
	header := make(map[string]string, len(a.Header))
	for name, values := range a.Header {
		header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return map[string]any{"status": int64(a.Status), "header": header, "body": parseBody(a.Body)}
}

// parseBody returns the JSON a body holds, with whole numbers kept exact, or
// its text when it holds none.
func parseBody(body []byte) any {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	if _, err := d.Token(); err != io.EOF {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	return exact(v, 0)
}

func exact(v any, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = exact(v[i], depth+1)
		}
	case map[string]any:
		for name := range v {
			v[name] = exact(v[name], depth+1)
		}
	}
	return v
}

// told is what a write's answer tells of the ticket.
type told struct{ ticket, state, url string }

// read evaluates a write's expressions.
func (c *call) read(a remote.Answer) (told, error) {
	vars := variables(a)
	var t told
	for _, e := range []struct {
		name    string
		program cel.Program
		into    *string
		most    int
	}{{"ticket", c.ticket, &t.ticket, maxName}, {"state", c.state, &t.state, maxName}, {"url", c.url, &t.url, maxAddress}} {
		if e.program == nil {
			continue
		}
		value, _, err := e.program.Eval(vars)
		if err != nil {
			return t, fmt.Errorf("expression %s: %w", e.name, err)
		}
		if *e.into, err = word(value, e.most); err != nil {
			return t, fmt.Errorf("expression %s: %w", e.name, err)
		}
	}
	if c.ticket != nil && t.ticket == "" {
		return t, errors.New("expression ticket: it gives none")
	}
	return t, nil
}

// word returns a value as a short text: texts and whole numbers are taken.
func word(value ref.Val, most int) (string, error) {
	var s string
	switch v := value.Value().(type) {
	case string:
		s = strings.TrimSpace(v)
	case int64:
		s = strconv.FormatInt(v, 10)
	case uint64:
		s = strconv.FormatUint(v, 10)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return "", errors.New("it gives a fraction")
		}
		s = strconv.FormatFloat(v, 'f', 0, 64)
	default:
		if value.Type().TypeName() == "null_type" {
			return "", nil
		}
		return "", fmt.Errorf("it gives %s, not a text or a number", value.Type().TypeName())
	}
	if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return "", errors.New("it gives a text that is too long or has control characters")
	}
	return s, nil
}

// list evaluates the lookup's expression.
func (c *call) list(a remote.Answer, ended []string) ([]alert.Ticket, error) {
	value, _, err := c.tickets.Eval(variables(a))
	if err != nil {
		return nil, fmt.Errorf("expression tickets: %w", err)
	}
	list, ok := value.(traits.Lister)
	if !ok {
		return nil, fmt.Errorf("expression tickets: it gives %s, not a list", value.Type().TypeName())
	}
	var tickets []alert.Ticket
	for it := list.Iterator(); it.HasNext() == trueValue; {
		if len(tickets) == maxTickets {
			return nil, fmt.Errorf("expression tickets: it gives more than %d", maxTickets)
		}
		t, err := asTicket(it.Next(), ended)
		if err != nil {
			return nil, fmt.Errorf("expression tickets: ticket %d: %w", len(tickets)+1, err)
		}
		tickets = append(tickets, t)
	}
	return tickets, nil
}

func asTicket(value ref.Val, ended []string) (alert.Ticket, error) {
	m, ok := value.(traits.Mapper)
	if !ok {
		id, err := word(value, maxName)
		if err == nil && id == "" {
			err = errors.New("it has no id")
		}
		return alert.Ticket{ID: id, Open: true}, err
	}
	var t alert.Ticket
	var key string
	for _, f := range []struct {
		name string
		into *string
		most int
	}{{"id", &t.ID, maxName}, {"state", &t.State, maxName}, {"url", &t.URL, maxAddress}, {"key", &key, maxName}} {
		v, ok := m.Find(stringValue(f.name))
		if !ok {
			continue
		}
		var err error
		if *f.into, err = word(v, f.most); err != nil {
			return t, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if t.ID == "" {
		return t, errors.New("it has no id")
	}
	t.Key, t.Open = alert.Key(key), !slices.Contains(ended, t.State)
	if v, ok := m.Find(stringValue("open")); ok {
		open, isBool := v.Value().(bool)
		if !isBool {
			return t, errors.New("open: it gives no flag")
		}
		t.Open = open
	}
	return t, readFields(m, &t)
}

func readFields(m traits.Mapper, t *alert.Ticket) error {
	v, ok := m.Find(stringValue("fields"))
	if !ok {
		return nil
	}
	fields, ok := v.(traits.Mapper)
	if !ok {
		return errors.New("fields: it gives no map")
	}
	t.Fields = map[string]string{}
	for it := fields.Iterator(); it.HasNext() == trueValue; {
		key := it.Next()
		name, ok := key.Value().(string)
		if !ok {
			return errors.New("fields: a name is no text")
		}
		value := fields.Get(key)
		if s, isText := value.Value().(string); isText && len(s) <= maxField {
			t.Fields[name] = s
			continue
		}
		s, err := word(value, maxName)
		if err != nil {
			return fmt.Errorf("fields: %w", err)
		}
		t.Fields[name] = s
	}
	return nil
}
