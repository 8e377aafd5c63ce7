// Package availability changes who is and who may be Active, and tells what a
// change will do before it is made: the communication order, Make Active, the
// high-availability settings, the removal of a server. It also makes the history
// of who was Active when into bands and gaps.
package availability
