// Package webhook is the adapter for systems that take tickets by an HTTP
// request of their own making: the document says what the requests look like
// and where the answers tell the ticket.
//
// # Guarantee
//
// It follows from what is configured. With a lookup request: Lookup, and the
// adapter is a Looker and Comparer. With "idempotent: true": Idempotent, for
// key_life (absent = for ever). With neither: AtLeastOnce; then an answer that
// is lost may double a ticket. With a note request the adapter is a Noter.
// Should both be configured, the adapter is Idempotent and can look all the same.
//
// # Settings
//
//	remote:
//	  kind: webhook
//	  endpoints: [https://desk.example.com/api, https://desk2.example.com/api]
//	  token: env:DESK_TOKEN
//	  settings:
//	    auth: bearer             # bearer, basic (user and password), header, none;
//	                             # default: bearer with a token, basic with a password
//	    auth_header: X-Api-Key   # for auth: header
//	    headers: {X-Tenant: "{{ .Alert.Source }}"}
//	    secret_headers: {X-Pass: env:DESK_PASS}
//	    key_header: Idempotency-Key
//	    idempotent: true         # the remote drops a create with a key it has seen
//	    key_life: 24h
//	    settle: 30s              # how much later a stalled request may be carried out
//	    ended: [resolved, closed]
//	    ca_file: /etc/ssl/desk-ca.pem
//	    create:
//	      method: POST
//	      path: /tickets         # put after the endpoint's own path
//	      content_type: application/json
//	      body: '{"title": {{ json .Subject }}, "ref": {{ json .Key }}}'
//	      ticket: body.id        # CEL over the answer
//	      state: body.status
//	      url: body.links.self
//	    update: {method: PUT, path: "/tickets/{{ path .Ticket }}", ...}
//	    note: {path: "/tickets/{{ path .Ticket }}/notes", ...}
//	    lookup:
//	      path: "/tickets?ref={{ urlquery .Key }}"
//	      tickets: 'body.items.map(t, {"id": t.id, "state": t.status})'
//	      not_found_is_none: true # a 404 means: no ticket; otherwise it is a failure
//	    probe: {path: /health}
//
// Every part has a default: a request is a POST of a remote.Message in JSON to
// the endpoint itself. What an update does not say is as in create; its answer
// need not repeat what create's expressions look for. A note has create's
// method and path. Note and lookup are offered only when configured, if only as
// {}. Lookup and probe are GETs.
//
// # Templates
//
// Path, body and header values are templates (text/template) over a
// remote.Message: .Kind, .Key, .Revision, .Ticket, .Subject, .Body, .Severity,
// .State, .Comment, .RefersTo, .Fields, .Note.Seq, .Note.Text, .Alert.Labels
// and so on. Functions beside the built-in ones: json, path, lower, upper, trim, replace,
// join, default. Use json in JSON bodies, path and urlquery in paths. In lookup
// and probe there is .Key alone.
//
// # Expressions
//
// Expressions are CEL over an answer: status (a number), body (the parsed JSON,
// or the text when it is none), header (names in lower case). "ticket" gives a
// text or number; without it the key itself is the ticket id. "tickets" gives a
// list, in the order of creation, of ids or of maps with "id" and, as far as
// known, "state", "open", "url", "key" and "fields"; a comparison covers the
// state and those of the fields that are returned: "subject", "body",
// "severity", "revision" and the document's fields by name. Where neither the
// revision nor all of the content is returned, nothing is known of the content:
// the ticket counts as different, and is updated once more.
//
// # The idempotency key
//
// A create carries the ticket's key alone, so that a create made again for a
// newer revision is dropped as well. A note carries key and number. An update
// carries key, revision and a random part: it must never be dropped as a
// repeat, because the same revision is sent again exactly to mend what an older,
// late one did.
package webhook
