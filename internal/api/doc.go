// Package api is the versioned JSON API under /api/v1: everything the console
// does, for programs. It calls the same services as the console.
//
// Every operation is made by Register, with what it needs of whoever asks. The
// operation's types are the API's own, and OpenAPI 3.1 is generated from them
// (/api/v1/openapi.json). Errors are problem details (RFC 9457) made of the
// faults that services return. What can be changed by two people has an ETag:
// its changes name the one they were decided on by If-Match, are refused with
// 428 without it, and with 412 when it has changed. Lists come in pages.
//
// One file per concern has its types and operations.
package api
