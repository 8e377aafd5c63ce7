// Package console is the product's face in a browser: pages rendered on the
// server over the services that the API uses too.
//
// # Pages
//
// A page is one Go file and one template of the same name. Its handler reads
// what the page shows from a service into a typed struct that embeds Page, and
// calls render; an error goes to fail, which shows what a person may see of it.
// Each file lists its own routes, and routes collects them: package guard mounts
// the table, and nothing is reachable that is not in it.
//
// Whatever changes something is a form that works without script: it answers
// with a redirect and a notice. Scripts (assets/*.js) only spare the reload.
//
// # Live
//
// A page that keeps itself up to date consists of panels: templates whose
// element has an id and data-live. The live route renders the panels of each
// watcher from the one snapshot that overview.Hub reads, and sends those whose
// text changed. So ten consoles load the database as one does.
//
// The design system is described at the top of assets/console.css; the colours
// are in assets/tokens.css.
package console
