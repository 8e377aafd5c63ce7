// Package tds plays SQL Server in front of a PostgreSQL server, for tests: it
// speaks the protocol (MS-TDS) and has PostgreSQL carry out what it is told,
// statement by statement, in translation.
//
// So the driver, the sessions, the batches and the statements that are SQL
// Server's alone are run where no SQL Server is, and what they do to the rows is
// seen. It is as hard to please as servers that speak the language and are no SQL
// Server: hints are ignored, a wait for a lock ends with an error that has no
// number of SQL Server's, most views of the system are not there, an optional
// setting is refused, and the compatibility level is low.
//
// It is no proof that SQL Server takes a text: the translation knows the forms
// that the product uses, and refuses what it does not know.
package tds
