package connector

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"
)

// checkTree finds what executing the samples may pass by: names that do not
// exist inside branches, and what could run without end.
func checkTree(t *template.Template) error {
	if len(t.Templates()) > 1 {
		return errors.New("define and block are not supported")
	}
	var c treeCheck
	c.nodes(t.Root, true)
	return c.found.orNil()
}

// treeCheck collects every mistake of a template's tree.
type treeCheck struct{ found mistakes }

// nodes checks a branch; top is whether the dot is the alert.
func (c *treeCheck) nodes(list *parse.ListNode, top bool) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		c.node(node, top)
	}
}

func (c *treeCheck) node(node parse.Node, top bool) {
	switch n := node.(type) {
	case *parse.ActionNode:
		c.pipe(n.Pipe, top)
	case *parse.IfNode:
		c.branch(&n.BranchNode, top, top)
	case *parse.WithNode:
		c.branch(&n.BranchNode, top, false)
	case *parse.RangeNode:
		for _, command := range n.Pipe.Cmds {
			if len(command.Args) == 1 && command.Args[0].Type() == parse.NodeNumber {
				c.found.note(errors.New("range over a number is not supported; range over .Labels or .Annotations"))
			}
		}
		c.branch(&n.BranchNode, top, false)
	case *parse.TemplateNode:
		c.found.note(errors.New("template is not supported"))
	}
}

func (c *treeCheck) branch(b *parse.BranchNode, top, inside bool) {
	c.pipe(b.Pipe, top)
	c.nodes(b.List, inside)
	c.nodes(b.ElseList, top)
}

func (c *treeCheck) pipe(pipe *parse.PipeNode, top bool) {
	if pipe == nil {
		return
	}
	for _, command := range pipe.Cmds {
		for _, arg := range command.Args {
			c.argument(arg, top)
		}
	}
}

func (c *treeCheck) argument(arg parse.Node, top bool) {
	var name string
	switch a := arg.(type) {
	case *parse.PipeNode:
		c.pipe(a, top)
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
		c.found.note(fmt.Errorf("there is no .%s; an alert has %s", name, strings.Join(fieldNames(), ", ")))
	}
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

// action is one {{...}} of a template, by its looks: a text in it that has
// braces of its own is cut short, and then found wrong by nobody.
var action = regexp.MustCompile(`\{\{-?\s*((?s:.*?))\s*-?\}\}`)

// movesDot finds what makes the dot something else than the alert.
var movesDot = regexp.MustCompile(`\{\{-?\s*(with|range)\b`)

// unreadable says everything that is wrong with a text that is no template. The
// parser stops at the first mistake, so each action is read by itself.
func unreadable(text string, whole error) error {
	var found mistakes
	moves := movesDot.MatchString(text)
	for _, at := range action.FindAllStringSubmatchIndex(text, -1) {
		parsed, err := parseTemplate(alone(text[at[2]:at[3]]))
		switch {
		case err == nil && !moves && parsed.Tree != nil:
			found.note(checkTree(parsed))
			continue
		case err == nil, strings.Contains(err.Error(), "undefined variable"): // one of another action
			continue
		}
		line := 1 + strings.Count(text[:at[0]], "\n")
		found.note(fmt.Errorf("%d: %s", line, strings.TrimPrefix(plainTemplateError(err), "1: ")))
	}
	if len(found) == 0 {
		found.note(errors.New(plainTemplateError(whole)))
	}
	return found
}

// alone makes a template of one action: what opens a branch is closed.
func alone(inside string) string {
	word, rest, _ := strings.Cut(inside, " ")
	switch word {
	case "end", "else", "break", "continue":
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "if ") || strings.HasPrefix(rest, "with ") {
			return alone(rest)
		}
		return ""
	case "if", "with", "range":
		return "{{" + inside + "}}{{end}}"
	}
	return "{{" + inside + "}}"
}

// failing says everything that goes wrong when a template is carried out, of
// which first is what came first: each of its parts is carried out by itself.
func (t *textTemplate) failing(first error) error {
	var found mistakes
	for _, node := range t.template.Root.Nodes {
		part, err := t.template.Clone()
		if err != nil {
			return first
		}
		part.Tree = part.Tree.Copy()
		part.Root.Nodes = []parse.Node{node}
		for _, sample := range samples {
			_, err := (&textTemplate{part}).text(sample)
			if err != nil && strings.Contains(err.Error(), "undefined variable") {
				return first // the parts hang together
			}
			if err != nil && !errors.Is(err, errTooLong) {
				found.note(err)
				break
			}
		}
	}
	if len(found) == 0 {
		return first
	}
	return found
}
