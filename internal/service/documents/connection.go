package documents

import (
	"reflect"
	"slices"

	"tieline/internal/connector"
)

// connection is the part of a document that says who is called with which secret.
type connection struct {
	remote  connector.Remote
	sources []connector.Source
}

// sameConnections reports whether two documents call the same systems with the
// same secrets. The order of endpoints and the times between calls may differ;
// a nil document calls nobody.
func sameConnections(before, after *connector.Document) bool {
	return reflect.DeepEqual(connectionOf(before), connectionOf(after))
}

func connectionOf(doc *connector.Document) connection {
	if doc == nil {
		return connection{}
	}
	c := connection{remote: doc.Remote, sources: slices.Clone(doc.Sources)}
	c.remote.Poll = 0
	c.remote.Endpoints = slices.Sorted(slices.Values(doc.Remote.Endpoints))
	for i := range c.sources {
		c.sources[i].Compare = 0
	}
	return c
}
