// Package forwardtest has what tests of forwarding need: a model of the
// database built on alert.Link's own methods, whose answers can be lost; a
// remote system that can be late, silent, down or lying; and a plain mapping.
//
// Nothing here sleeps or starts goroutines by itself; late writes are carried
// out by timers, so that everything runs in a synctest bubble.
package forwardtest
