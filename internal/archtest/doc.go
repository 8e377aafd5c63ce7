// Package archtest holds the architecture by tests: which package may import
// which, that every package says what it is for, and that the sample
// configurations are valid. It has no code of its own.
package archtest
