package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

// Given is where settings come from, weakest first: a file, the environment, flags.
type Given struct {
	File  string                       // path; "" = TIELINE_CONFIG, or no file at all
	Env   func(string) (string, bool)  // os.LookupEnv; nil = no environment
	Flags map[string]string            // by Setting.Key, those the person gave
	Read  func(string) ([]byte, error) // os.ReadFile when nil
}

// Load returns the settings, or an Invalid fault with every problem there is.
func Load(g Given) (Config, error) {
	if g.Env == nil {
		g.Env = func(string) (string, bool) { return "", false }
	}
	if g.Read == nil {
		g.Read = os.ReadFile
	}
	l := loader{config: Default()}
	if err := l.file(g); err != nil {
		return Config{}, err
	}
	for _, s := range Settings() {
		if v, ok := g.Env(s.Env()); ok && v != "" {
			l.apply(s, s.Env(), v)
		}
	}
	for _, s := range Settings() {
		if v, ok := g.Flags[s.Key]; ok {
			l.apply(s, "--"+s.Flag, v)
		}
	}
	l.together()
	return l.config, fault.InvalidInput("the server's settings are not valid:", l.problems)
}

type loader struct {
	config   Config
	problems []fault.Problem
}

func (l *loader) apply(s Setting, path, value string) {
	if err := s.set(&l.config, value); err != nil {
		l.problem(path, err.Error())
	}
}

func (l *loader) problem(path, message string) {
	l.problems = append(l.problems, fault.Problem{Path: path, Message: message})
}

// together checks what no setting can tell alone.
func (l *loader) together() {
	if l.config.Database.Password != "" && l.config.Embedded() {
		l.problem("database.password", "is for a database server, but database.url is not set")
	}
	l.problems = append(l.problems, l.config.OIDC.problems(l.config.Console)...)
}

func (l *loader) file(g Given) error {
	path := g.File
	if path == "" {
		path, _ = g.Env("TIELINE_CONFIG")
	}
	if path == "" {
		return nil
	}
	text, err := g.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return fault.Wrap(fault.NotFound, err, fmt.Sprintf("there is no configuration file %s", path)).
			WithNext("Give its path by --config or TIELINE_CONFIG, or neither to run with the defaults.")
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("the configuration file %s cannot be read", path))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("the configuration file %s is not valid YAML (%v)", path, err))
	}
	if len(root.Content) > 0 {
		l.mapping(root.Content[0], "")
	}
	return nil
}

// mapping reads one level of the file. Each setting goes the way a flag goes,
// so that the file, the environment and the flags agree on what is valid.
func (l *loader) mapping(n *yaml.Node, prefix string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		l.problem(strings.TrimSuffix(prefix, "."), fmt.Sprintf("line %d: must be a mapping of settings", n.Line))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		if seen[key] {
			l.problem(key, fmt.Sprintf("line %d: is there twice", n.Content[i].Line))
			continue
		}
		seen[key] = true
		l.entry(key, n.Content[i].Line, value)
	}
}

func (l *loader) entry(key string, line int, value *yaml.Node) {
	nested := false
	for _, s := range Settings() {
		if s.Key == key {
			l.value(s, value)
			return
		}
		nested = nested || strings.HasPrefix(s.Key, key+".")
	}
	if nested {
		l.mapping(value, key+".")
		return
	}
	l.problem(key, fmt.Sprintf("line %d: there is no such setting", line))
}

func (l *loader) value(s Setting, n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!null" {
			l.apply(s, s.Key, n.Value)
		}
	case yaml.SequenceNode:
		if !s.List {
			l.problem(s.Key, fmt.Sprintf("line %d: must be one value, not a list", n.Line))
			return
		}
		var names []string
		for _, item := range n.Content {
			names = append(names, item.Value)
		}
		l.apply(s, s.Key, strings.Join(names, ","))
	default:
		l.problem(s.Key, fmt.Sprintf("line %d: must be one value", n.Line))
	}
}
