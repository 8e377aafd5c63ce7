// Package access decides who may do what: accounts with a role each, their
// passwords and sessions, API tokens, the first-run set-up link, and the audit
// of every change and every refusal.
//
// There is one order of roles, viewer < operator < admin, and one place that
// compares a role with what a route needs: Principal.May, called by package
// guard for the console and the API alike. Nothing here knows HTTP.
//
// Whatever could be used to get in is stored as a hash: passwords by argon2id,
// tokens, session ids and set-up links, which are random and long, by SHA-256.
// Ages and expiries are judged by the database's clock, so that a session is
// as old on one server as on the next.
package access
