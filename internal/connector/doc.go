// Package connector is one connector's document: how it is read, what is wrong
// with it, and what follows from it for an alert. Everything here is pure.
//
// Parse reads YAML strictly and reports every problem at once with its path;
// Marshal writes the canonical form that is stored, shown and compared. Compile
// makes what servers run: which alerts the connector forwards (Matches), what a
// ticket should say (Draft), what a close waits for, what an alert that fires
// again does with its earlier ticket (Refire), and what the source is told when
// the ticket changes (Back).
//
// # What expressions and templates see
//
// Both see the same data. CEL has the variables source, key, severity, summary,
// description, labels, annotations, status ("open" or "closed"), url, starts_at
// and ends_at; templates have .Source, .Key, .Severity and so on, with .URL,
// .StartsAt and .EndsAt. Labels and annotations are maps of text to text; times
// are RFC 3339 in UTC, or "" when the source did not tell them.
//
// A label that is not there is "" in a template. In CEL, reading it with
// labels.env or labels["env"] is an error, and a subscription with an error does
// not match: ask has(labels.env) first, or write labels[?"env"].orValue("").
//
// The subscription decides when a connector begins to forward an alert. A ticket
// that was opened hears of every later change, the close above all, whether or
// not the subscription still matches.
//
// Templates have trim, join, link, default, upper, lower and truncate:
//
//	{{ .Summary | trim | truncate 200 }}
//	{{ .Labels.team | default "nobody" | upper }}
//	{{ link "graph" .URL }}              graph <http://...>
//	{{ join ", " .Labels }}              alertname=DiskFull, instance=db1
//
// CEL has the same as functions or methods, besides the standard library and
// the string extensions: summary.trim(), ["a", "b"].join(", "), link(text, url),
// default(text, otherwise), upper(text), lower(text), truncate(text, length).
//
// # Coming to rest
//
// The states of ticket and alert are mapped both ways. Following the two maps
// there and back again must come to rest; maps that would set each other in
// motion for ever are refused with the circle spelled out.
package connector
