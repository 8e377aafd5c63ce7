package connector

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"

	"cel.dev/cel-go/cel"
)

// maxText bounds what a mapped value may come to, in bytes.
const maxText = 64 << 10

var errTooLong = fmt.Errorf("the text grew beyond %d bytes", maxText)

var templateFunctions = template.FuncMap{
	"trim":     strings.TrimSpace,
	"join":     joinTemplate,
	"link":     link,
	"default":  otherwise,
	"upper":    strings.ToUpper,
	"lower":    strings.ToLower,
	"truncate": truncate,
}

// joinTemplate joins a list, or a map's name=value pairs in the order of names.
func joinTemplate(separator string, items any) (string, error) {
	switch items := items.(type) {
	case map[string]string:
		return strings.Join(pairs(items), separator), nil
	case []string:
		return strings.Join(items, separator), nil
	}
	return "", fmt.Errorf("join takes labels, annotations or a list, not %T", items)
}

// mapping gives a mapped value's text for an alert.
type mapping interface {
	text(d *data) (string, error)
}

// compileValue compiles a document's value. The error's text is for the person
// who wrote it.
func compileValue(v Value) (mapping, error) {
	if v.CEL != "" {
		return compileExpression(v.CEL, cel.StringType)
	}
	if written, ok := usuals[v.Template]; ok {
		return written, nil
	}
	return compileTemplate(v.Template)
}

type textTemplate struct{ template *template.Template }

func compileTemplate(text string) (*textTemplate, error) {
	parsed, err := template.New("").Funcs(templateFunctions).Option("missingkey=zero").Parse(text)
	if err != nil {
		return nil, errors.New(plainTemplateError(err))
	}
	if parsed.Tree == nil {
		return &textTemplate{parsed}, nil
	}
	if err := checkTree(parsed); err != nil {
		return nil, err
	}
	compiled := &textTemplate{parsed}
	for _, sample := range samples {
		if _, err := compiled.text(sample); err != nil && !errors.Is(err, errTooLong) {
			return nil, err
		}
	}
	return compiled, nil
}

func (t *textTemplate) text(d *data) (string, error) {
	var b limited
	if err := t.template.Execute(&b, d); err != nil {
		if errors.Is(err, errTooLong) {
			return "", errTooLong
		}
		return "", errors.New(plainTemplateError(err))
	}
	return b.text.String(), nil
}

// samples are what templates are tried on: an alert that tells everything, and
// one that tells nothing.
var samples = []*data{
	{
		Source: "alertmanager", Key: "e94c744ae3d44df8", Severity: "critical", Summary: "summary", Description: "description",
		Status: "open", URL: "http://monitor/alert", StartsAt: "2026-01-01T00:00:00Z", EndsAt: "2026-01-01T00:00:00Z",
		Labels: map[string]string{"alertname": "DiskFull"}, Annotations: map[string]string{"summary": "summary"},
	},
	{},
}

// plainTemplateError drops the package's prefixes, which name the unnamed template.
func plainTemplateError(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), ":")
}

// limited collects a bounded text.
type limited struct{ text strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxText {
		return 0, errTooLong
	}
	return l.text.Write(p)
}

// checkTree finds what executing the samples may pass by: names that do not
// exist inside branches, and what could run without end.
func checkTree(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("define and block are not supported")
	}
	return checkNodes(t.Root, true)
}

// checkNodes checks a branch; top is whether the dot is the alert.
func checkNodes(list *parse.ListNode, top bool) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := checkNode(node, top); err != nil {
			return err
		}
	}
	return nil
}

func checkNode(node parse.Node, top bool) error {
	switch n := node.(type) {
	case *parse.ActionNode:
		return checkPipe(n.Pipe, top)
	case *parse.IfNode:
		return checkBranch(&n.BranchNode, top, top)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode, top, false)
	case *parse.RangeNode:
		for _, command := range n.Pipe.Cmds {
			if len(command.Args) == 1 && command.Args[0].Type() == parse.NodeNumber {
				return errors.New("range over a number is not supported; range over .Labels or .Annotations")
			}
		}
		return checkBranch(&n.BranchNode, top, false)
	case *parse.TemplateNode:
		return errors.New("template is not supported")
	}
	return nil
}

func checkBranch(b *parse.BranchNode, top, inside bool) error {
	return errors.Join(checkPipe(b.Pipe, top), checkNodes(b.List, inside), checkNodes(b.ElseList, top))
}

func checkPipe(pipe *parse.PipeNode, top bool) error {
	if pipe == nil {
		return nil
	}
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			if err := checkArgument(arg, top); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkArgument(arg parse.Node, top bool) error {
	var name string
	switch a := arg.(type) {
	case *parse.PipeNode:
		return checkPipe(a, top)
	case *parse.FieldNode:
		if top {
			name = a.Ident[0]
		}
	case *parse.VariableNode:
		if a.Ident[0] == "$" && len(a.Ident) > 1 {
			name = a.Ident[1]
		}
	}
	if _, ok := dataFields[name]; name != "" && !ok {
		return fmt.Errorf("there is no .%s; an alert has %s", name, strings.Join(fieldNames(), ", "))
	}
	return nil
}

var dataFields = func() map[string]bool {
	fields := make(map[string]bool)
	for field := range reflect.TypeFor[data]().Fields() {
		fields[field.Name] = true
	}
	return fields
}()

func fieldNames() []string {
	var names []string
	for name := range sorted(dataFields) {
		names = append(names, "."+name)
	}
	return names
}
