// Package edit changes a connector document's text as a person would: a value
// is replaced where it stands, and comments, order and layout of everything
// else stay. It also compares two texts and merges three. It knows YAML, and
// nothing of what a document means.
//
// # Paths
//
// Places are named as the problems of package connector name them:
// "remote.poll", "sources[0].token", `fields["Alert Source"].cel`.
package edit
