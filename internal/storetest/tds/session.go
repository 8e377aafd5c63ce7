package tds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"tieline/internal/storetest/tds/wire"
)

// patience bounds what is done for a client that is gone.
const patience = 5 * time.Second

// session is one client's, with a connection to PostgreSQL of its own.
type session struct {
	server   *Server
	conn     *connection
	id       int64
	database string
	program  string
	postgres *pgx.Conn
	begun    bool   // a transaction, by the transaction manager
	fork     string // the recovery fork that it sees, "" = none
	forks    bool   // there is a view of recovery forks
}

func (s *Server) newSession(c *connection, database, program string) (*session, error) {
	u := *s.postgres
	u.Path = "/" + database
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, err
	}
	config.BuildContextWatcherHandler = func(p *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: p, DeadlineDelay: patience}
	}
	p, err := pgx.ConnectConfig(c.ctx, config)
	if err != nil {
		return nil, err
	}
	fork, forks := s.shown()
	if _, err := p.Exec(c.ctx, "SELECT set_config('played.fork', $1, false)", fork); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	session := &session{server: s, conn: c, id: s.last, database: database, program: program, postgres: p, fork: fork, forks: forks}
	s.sessions[session.id] = session
	return session, nil
}

func (s *session) end() {
	s.server.mu.Lock()
	delete(s.server.sessions, s.id)
	s.server.mu.Unlock()
	s.server.locks.releaseAll(s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = s.postgres.Close(ctx) // nobody is told
}

// run carries one request out and returns the answer.
func (s *session) run(r request) (out []byte) {
	defer func() {
		if bug := recover(); bug != nil {
			f := &failure{50000, 16, fmt.Sprintf("cannot be played: %v: %s", bug, r.text)}
			out = f.answer()
		}
	}()
	if r.kind == wire.PackTransaction {
		return s.transaction(r)
	}
	b := &batch{session: s, ctx: r.ctx, vars: r.args}
	err := r.bad
	if err == nil {
		err = b.run(r.text)
	}
	if err != nil {
		out = append(b.out, failureOf(err).token()...)
		return append(append(out, s.abort()...), wire.Done(wire.DoneError, 0)...)
	}
	return append(b.out, wire.Done(0, 0)...)
}

// abort ends the transaction behind an error, as XACT_ABORT has it.
func (s *session) abort() []byte {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s.postgres.PgConn().TxStatus() != 'I' {
		_, _ = s.postgres.Exec(ctx, "ROLLBACK") // what fails here closes the connection
	}
	if !s.begun {
		return nil
	}
	s.begun = false
	return change(changeRolledBack)
}

// transaction carries a request of the transaction manager out.
func (s *session) transaction(r request) []byte {
	verbs := map[byte]struct {
		text   string
		change byte
	}{5: {"BEGIN", changeBegun}, 7: {"COMMIT", changeCommitted}, 8: {"ROLLBACK", changeRolledBack}}
	verb, ok := verbs[r.verb]
	if !ok {
		panic(fmt.Sprintf("request %d of the transaction manager", r.verb))
	}
	tag, err := s.postgres.Exec(r.ctx, verb.text)
	s.begun = err == nil && verb.change == changeBegun
	if err == nil && tag.String() != verb.text {
		err = &failure{3902, 16, "the transaction had been rolled back"}
	}
	if err != nil {
		return failureOf(err).answer()
	}
	return append(change(verb.change), wire.Done(0, 0)...)
}

// failureOf is an error as SQL Server would number it, where a server that is
// none knows the number.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var p *pgconn.PgError
	if !errors.As(err, &p) {
		return &failure{33557097, 20, err.Error()}
	}
	known := map[string]*failure{
		"23505": {2627, 14, p.Message}, "40P01": {1205, 13, p.Message}, "22001": {8152, 16, p.Message}, "23502": {515, 16, p.Message},
	}
	if f := known[p.Code]; f != nil {
		return f
	}
	return &failure{33557097, 16, p.Message + " (SQLSTATE " + p.Code + ")"}
}

// kill ends another session's connection.
func (s *session) kill(id int64) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if other := s.server.sessions[id]; other != nil {
		_ = other.conn.Close()
	}
}
