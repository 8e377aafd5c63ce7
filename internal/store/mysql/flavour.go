package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/fault"
	"tieline/internal/store/hosts"
)

// flavour is what differs between MariaDB and MySQL.
type flavour struct {
	maria     bool
	version   string
	collation string // compares bytes, blanks at the end included
	packet    int    // greatest statement in bytes
}

// minPacket holds the largest request a source may make, written as a statement.
const minPacket = 16 << 20

// findFlavour connects once, to a host that answers, and asks what the server is.
func findFlavour(ctx context.Context, c *mysql.Config) (flavour, error) {
	all := eachHost(c)
	return hosts.First(ctx, len(all), new(atomic.Int32), func(ctx context.Context, at int) (flavour, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, loginWithin(c), errLogin)
		defer cancel()
		f, err := flavourOf(ctx, all[at])
		if err != nil {
			err = &hosts.At{Host: all[at].Addr, Err: because(ctx, err)}
		}
		return f, err
	}, func(flavour) {})
}

func flavourOf(ctx context.Context, c *mysql.Config) (flavour, error) {
	base, err := mysql.NewConnector(c)
	if err != nil {
		return flavour{}, wrongURL(err.Error())
	}
	raw, err := base.Connect(ctx)
	if err != nil {
		return flavour{}, err
	}
	defer raw.Close()
	values, err := (&conn{full: raw.(full)}).row(ctx, "SELECT VERSION(), @@max_allowed_packet")
	if err != nil {
		return flavour{}, err
	}
	f := flavour{version: values[0], collation: "utf8mb4_0900_bin", maria: strings.Contains(values[0], "MariaDB")}
	if f.maria {
		f.collation = "utf8mb4_nopad_bin"
	}
	if f.packet, err = strconv.Atoi(values[1]); err != nil {
		return flavour{}, fmt.Errorf("read max_allowed_packet: %w", err)
	}
	return f, f.supported()
}

// supported refuses servers that lack what the statements use.
func (f flavour) supported() error {
	name, least, major, minor := "MySQL", "8.0.19", 8, 0
	if f.maria {
		name, least, major, minor = "MariaDB", "10.11", 10, 11
	}
	have := numbers(f.version)
	old := have[0] < major || have[0] == major && have[1] < minor || !f.maria && have[0] == 8 && have[1] == 0 && have[2] < 19
	switch {
	case old:
		return fault.New(fault.Refused, fmt.Sprintf("the database server is %s %s; Tieline needs %s or newer", name, f.version, least)).
			WithNext("update the database server")
	case f.packet < minPacket:
		return fault.New(fault.Refused, fmt.Sprintf("the database server's max_allowed_packet is %d bytes; Tieline needs at least %d", f.packet, minPacket)).
			WithNext("set max_allowed_packet = 16M or more on the database server")
	}
	return nil
}

// numbers are the first three numbers of a version such as "10.11.6-MariaDB-1".
func numbers(version string) [3]int {
	version = strings.TrimPrefix(version, "5.5.5-") // some proxies put it before MariaDB's
	head, _, _ := strings.Cut(version, "-")
	var out [3]int
	for i, part := range strings.SplitN(head, ".", 3) {
		out[i], _ = strconv.Atoi(part) // a part that is no number counts as 0
	}
	return out
}
