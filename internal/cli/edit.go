package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

// editMapping sets values in a top-level mapping of a YAML document, which it
// makes when it is not there. Comments and everything else stay.
func editMapping(text, section string, values map[string]string) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the stored document is not valid YAML")
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return "", fault.New(fault.Invalid, "the stored document is not a mapping")
	}
	node := child(root.Content[0], section)
	if node == nil {
		node = &yaml.Node{Kind: yaml.MappingNode}
		root.Content[0].Content = append(root.Content[0].Content, &yaml.Node{Kind: yaml.ScalarNode, Value: section}, node)
	}
	if node.Kind != yaml.MappingNode {
		*node = yaml.Node{Kind: yaml.MappingNode} // "high_availability:" with nothing after it
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := child(node, key)
		if value == nil {
			value = &yaml.Node{}
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
		}
		comment := value.LineComment
		*value = yaml.Node{Kind: yaml.ScalarNode, Value: values[key], LineComment: comment}
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&root); err != nil {
		return "", fmt.Errorf("write the document: %w", err)
	}
	return b.String(), nil
}

func child(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
