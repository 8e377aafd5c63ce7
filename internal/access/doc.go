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
//
// A change has its audit entry before it is made (Service.Begin), which is
// completed afterwards (Service.End): whatever ends the process in between leaves
// an entry that says so. Two transactions do for every change there is, whereas one
// for both would have to be told to each of them.
package access
