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

// standingTag names who is Active and who was asked to be; standingOf reads it.
func standingTag(c overview.Connector) string {
	epoch := strconv.FormatInt(c.Epoch, 10)
	if c.Wish == "" {
		return epoch
	}
	return epoch + "-" + c.Wish
}

// standingOf is that of no connector where the tag is none of ours.
func standingOf(tag string) store.Standing {
	epoch, wish, _ := strings.Cut(tag, "-")
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		n = -1
	}
	return store.Standing{Epoch: n, Wish: wish}
}
