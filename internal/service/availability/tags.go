package availability

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"tieline/internal/service/overview"
	"tieline/internal/store"
)

// OrderTag names a communication order: of another one it is another.
func OrderTag(order []string) string {
	sum := sha256.Sum256([]byte(strings.Join(order, "\n"))) // no name has one
	return hex.EncodeToString(sum[:8])
}

// standingOf is what a decision on a switchover is made from.
func standingOf(c overview.Connector) store.Standing {
	return store.Standing{Epoch: c.Epoch, Holder: c.Holder, Successor: c.Successor, Wish: c.Wish}
}

// standingTag names that; standingBy reads it. No name has a dot.
func standingTag(c overview.Connector) string {
	s := standingOf(c)
	return strings.Join([]string{strconv.FormatInt(s.Epoch, 10), s.Holder, s.Successor, s.Wish}, ".")
}

// standingBy is the standing of no connector where the tag is none of ours.
func standingBy(tag string) store.Standing {
	parts := strings.Split(tag, ".")
	epoch, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || len(parts) != 4 {
		return store.Standing{Epoch: -1}
	}
	return store.Standing{Epoch: epoch, Holder: parts[1], Successor: parts[2], Wish: parts[3]}
}
