package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/store/hosts"
)

// askWithin bounds the asking of the other hosts, all of them together.
const askWithin = time.Second

// node is what a session tells of the server it is with. Two that differ are two
// servers; behind some proxies, two that agree may be as well.
type node struct {
	name     string // for people
	readOnly string // why it takes no writes; "" = it takes them
}

// nodeText are the expressions that nodeOf reads.
func (f flavour) nodeText() string {
	if f.maria {
		return "@@hostname, @@port, @@server_id, @@server_uid, @@read_only, @@tx_read_only"
	}
	return "@@hostname, @@port, @@server_id, @@server_uuid, @@read_only, @@transaction_read_only"
}

func nodeOf(values []string) node {
	n := node{name: fmt.Sprintf("%s:%s (server id %s, %s)", values[0], values[1], values[2], values[3])}
	switch {
	case values[4] != "0" && values[4] != "OFF":
		n.readOnly = "read_only is on, as a replica has it"
	case values[5] != "0":
		n.readOnly = "transaction_read_only is on"
	}
	return n
}

// takesNoWrites is the reason of a server that was found so.
func (n node) takesNoWrites() *hosts.Reason {
	return &hosts.Reason{Cause: "takes no writes (" + n.readOnly + ")", Next: "name the primary, or all hosts, in the database URL, or SET GLOBAL read_only = OFF there"}
}

// writes tells of a server that is read only what that is to a user who may pass
// over it, or may not.
func (n node) writes(over bool) (found, todo string) {
	r := n.takesNoWrites()
	if !over {
		return r.Cause, r.Next
	}
	return "read_only is on, which this user may pass over: a replica?", r.Next + "; what is written to a replica is not on its primary"
}

// nodes compares each session's server with that of the first: locks are shared by
// the sessions of one server alone.
type nodes struct {
	log *slog.Logger
	// prove shows that sessions exclude each other, and returns which server they
	// are with. Nil: the first session's server is not known yet.
	prove func(ctx context.Context) (name string, err error)

	mu       sync.Mutex
	name     string // of the first session's server; "" before
	compared string // host that was compared with the others
}

// same accepts a session with another server than the first one's only when new
// sessions are all with that one too: the first is gone, and a replica or another
// node of a cluster took its place.
func (n *nodes) same(ctx context.Context, name string) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.name == "" || n.name == name || n.prove == nil {
		n.name = name
		return nil
	}
	others, err := n.prove(ctx)
	if err == nil && others != name {
		err = notProven(fmt.Errorf("this session is with %s, and others are with %s", name, others))
	}
	if err != nil {
		return err
	}
	n.log.WarnContext(ctx, "sessions are with another database server than before", slog.String("reason", n.name+" gave way to "+name))
	n.name = name
	return nil
}

// rivals tells in the log once which other hosts take writes when a connection is
// made to one that was not in use before. Nothing tells whose history is newer.
func (c *connector) rivals(ctx context.Context, at int, mine string) {
	n := c.nodes
	host := c.names[at]
	if n == nil || len(c.hosts) == 1 || !n.mu.TryLock() { // another connection's turn
		return
	}
	defer n.mu.Unlock()
	if n.compared == host {
		return
	}
	n.compared = host
	for _, o := range c.others(ctx, at) {
		if split := c.split(at, mine, o); split != nil {
			n.log.ErrorContext(ctx, "two hosts of the database take writes", slog.String("reason", split.Cause), slog.String("next", split.Next))
		}
	}
}

// split is the reason to look at two hosts that take writes, nil where there is none.
func (c *connector) split(at int, mine string, o hosts.Answer[node]) *hosts.Reason {
	if o.Err != nil || o.Got.readOnly != "" || o.Got.name == mine {
		return nil
	}
	one, other := c.names[at], c.names[o.At]
	return &hosts.Reason{
		Cause: fmt.Sprintf("%s and %s both take writes, and nothing tells whose history is newer", one, other),
		Next: fmt.Sprintf("fence the one of %s and %s that is no primary: stop it, or SET GLOBAL read_only = ON there and make it a replica; "+
			"of the nodes of a cluster, name one", one, other),
	}
}

// others asks every host but one what it is.
func (c *connector) others(ctx context.Context, but int) []hosts.Answer[node] {
	return hosts.Others(ctx, len(c.hosts), but, askWithin, func(ctx context.Context, at int) (n node, err error) {
		raw, err := c.hosts[at].Connect(ctx)
		if err != nil {
			return n, err
		}
		defer func() { err = errors.Join(err, raw.Close()) }()
		values, err := (&conn{full: raw.(full)}).row(ctx, "SELECT "+c.flavour.nodeText())
		if err != nil {
			return n, err
		}
		return nodeOf(values), nil
	})
}

// why says what keeps us from one host, and what to do about it.
func why(err error) (cause, next string) {
	var found *hosts.Reason
	var said *mysql.MySQLError
	switch {
	case errors.As(err, &found):
		return found.Cause, found.Next
	case errors.As(err, &said):
		return "the server says: " + said.Message, ""
	}
	return hosts.Why(err, "a MariaDB or MySQL server", foreign)
}

// reason says of an error in use why the database cannot be worked with, where
// that is more than that it does not answer.
func reason(err error) (cause, next string) {
	var found *hosts.Reason
	switch {
	case errors.As(err, &found):
		cause, next = hosts.Each(err, why)
		return "cannot be reached: " + cause, next
	case isCode(err, 1021), isCode(err, 1114):
		return "takes no writes: its disk or a table is full", "make room on the database server"
	case isCode(err, 1290), isCode(err, 1836):
		return "takes no writes (read_only is on, as a replica has it)", node{}.takesNoWrites().Next
	case isCode(err, 1792):
		return "takes no writes (transaction_read_only is on)", "turn it off for the server"
	}
	return "", ""
}
