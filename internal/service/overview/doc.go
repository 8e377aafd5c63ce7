// Package overview reads the management group for people: every connector with
// its servers, what lies before it and what it delivered, every server with what
// it does, and what needs a person.
//
// States are derived here from rows that the servers wrote, by the database's
// clock, so it tells the same whether a server runs in this process or none runs
// at all: then the last known states stand, with their age.
//
// The Hub tells many watchers of changes for the price of one: it reads the
// group when a wake-up says so and once a second besides, only while somebody
// watches.
package overview
