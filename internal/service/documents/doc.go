// Package documents changes connectors' documents the careful way: an edit makes
// a draft, the draft is checked at every field, compared with the current
// version and tried on stored alerts, and then applied.
//
// A connector has one draft, which everybody who edits shares. Each save is a
// revision. Whoever saves names the revision they saw; when another one came
// before theirs, they get a *Conflict with both texts, what both changed, and a
// merge of the two, and nothing of either is lost. The same holds for a draft
// whose connector got another version meanwhile.
//
// Nothing here sends anything, but for Probe, which asks a remote system whether
// it can be reached. Documents and drafts name secrets and never contain them.
package documents
