package sqlserver

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"tieline/internal/storetest/tds/wire"
)

// fake is a server that speaks as much of SQL Server's protocol (MS-TDS) as the
// driver needs: a login, batches and sp_executesql, rows of bigint and nvarchar,
// errors and attentions. What it answers is the test's.
type fake struct {
	t        *testing.T
	listener net.Listener
	answer   func(r request) reply

	mu       sync.Mutex
	requests []request
	silent   bool // takes connections and says nothing
	refuse   *failure
	conns    map[net.Conn]bool
}

// request is one statement that arrived.
type request struct {
	Conn      int    // number of the connection
	Text      string // "" for an attention
	Params    string // declarations of sp_executesql's
	Attention bool
	Reset     bool // the connection was to be reset before
	change    []byte
}

// reply is what the fake answers: rows, then perhaps an error. A nil wait answers
// at once.
type reply struct {
	rows [][]any
	fail *failure
	wait <-chan struct{}
	mute bool // never answers
}

type failure struct {
	number int32
	class  byte
	text   string
}

func row(values ...any) reply { return reply{rows: [][]any{values}} }

func newFake(t *testing.T, answer func(r request) reply) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, listener: l, answer: answer, conns: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[conn] = true
			f.mu.Unlock()
			wg.Go(func() { f.serve(conn, n) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for conn := range f.conns {
			_ = conn.Close()
		}
		f.mu.Unlock()
		wg.Wait()
	})
	return f
}

func (f *fake) url(more string) string {
	return "sqlserver://sa:hush@" + f.listener.Addr().String() + "?database=tieline&encrypt=disable" + more
}

// said returns the requests that arrived so far.
func (f *fake) said() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

// serve talks to one connection: a reader, so that attentions are seen while an
// answer is waited for, and the answers.
func (f *fake) serve(conn net.Conn, n int) {
	defer conn.Close()
	f.mu.Lock()
	silent := f.silent
	f.mu.Unlock()
	if silent {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	todo := make(chan request, 100)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for r := range todo {
			if err := f.reply(conn, r); err != nil {
				_ = conn.Close()
				return
			}
		}
	})
	defer close(todo)
	for {
		kind, status, body, err := wire.Read(conn)
		if err != nil {
			return
		}
		switch kind {
		case wire.PackPrelogin:
			// One option: encryption (1) is not supported (2).
			err = wire.Write(conn, []byte{1, 0, 6, 0, 1, 0xFF, 2})
		case wire.PackLogin:
			err = f.login(conn)
		case wire.PackAttention:
			f.note(request{Conn: n, Attention: true})
			err = wire.Write(conn, wire.Done(wire.DoneAttention, 0))
		case wire.PackBatch, wire.PackRPC, wire.PackTransaction:
			r := parse(kind, body)
			r.Conn, r.Reset = n, status&8 != 0
			f.note(r)
			todo <- r
		default:
			err = fmt.Errorf("packet of type %d", kind)
		}
		if err != nil {
			return
		}
	}
}

func (f *fake) note(r request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
}

func (f *fake) login(conn net.Conn) error {
	f.mu.Lock()
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != nil {
		return wire.Write(conn, append(failed(*refuse), wire.Done(wire.DoneError, 0)...))
	}
	ack := append([]byte{1, 0x74, 0, 0, 4}, wire.Short("Fake")...)
	ack = append(ack, 14, 0, 0, 0)
	return wire.Write(conn, append(wire.Token(wire.TokenLoginAck, ack), wire.Done(0, 0)...))
}

func (f *fake) reply(conn net.Conn, r request) error {
	a := f.answer(r)
	if a.mute {
		return nil
	}
	if a.wait != nil {
		<-a.wait
	}
	out := r.change
	if len(a.rows) > 0 && r.change == nil {
		out = columns(a.rows[0])
		for _, values := range a.rows {
			out = append(out, wire.TokenRow)
			for _, v := range values {
				out = append(out, cell(v)...)
			}
		}
	}
	if a.fail != nil {
		out = append(out, failed(*a.fail)...)
		return wire.Write(conn, append(out, wire.Done(wire.DoneError, 0)...))
	}
	return wire.Write(conn, append(out, wire.Done(wire.DoneCount, int64(len(a.rows)))...))
}

// transactions are what a request of the transaction manager asks for, changes
// what it is told of.
var (
	transactions = map[byte]string{5: "BEGIN", 7: "COMMIT", 8: "ROLLBACK"}
	changes      = map[byte][]byte{
		5: wire.Token(wire.TokenChange, []byte{8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0}),
		7: wire.Token(wire.TokenChange, []byte{9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0}),
		8: wire.Token(wire.TokenChange, []byte{10, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0}),
	}
)

// parse reads the text of a batch, or the text and declarations of sp_executesql.
func parse(kind byte, body []byte) request {
	body = body[binary.LittleEndian.Uint32(body):] // what stands before is headers
	switch kind {
	case wire.PackBatch:
		return request{Text: wire.Wide(body)}
	case wire.PackTransaction:
		return request{Text: transactions[body[0]], change: changes[body[0]]}
	}
	body = body[6:] // a procedure by its number, flags
	text, body := parameter(body)
	params, _ := parameter(body)
	return request{Text: text, Params: params}
}

// parameter reads one parameter of type nvarchar.
func parameter(b []byte) (value string, rest []byte) {
	b = b[1+2*int(b[0])+1:] // name, flags
	size := binary.LittleEndian.Uint16(b[1:])
	b = b[1+2+5:] // type, size, collation
	if size != 0xFFFF {
		n := int(binary.LittleEndian.Uint16(b))
		return wire.Wide(b[2 : 2+n]), b[2+n:]
	}
	b = b[8:] // length of all chunks
	var all []byte
	for {
		n := int(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if n == 0 {
			return wire.Wide(all), b
		}
		all, b = append(all, b[:n]...), b[n:]
	}
}

func failed(f failure) []byte { return wire.Error("fake", f.number, f.class, wire.Narrow(f.text)) }

func columns(row []any) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{wire.TokenColumns}, uint16(len(row)))
	for _, v := range row {
		b = append(b, 0, 0, 0, 0, 1, 0)
		if _, number := v.(int64); number {
			b = append(b, 0x26, 8)
		} else {
			b = append(b, 0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34)
		}
		b = append(b, wire.Short("c")...)
	}
	return b
}

func cell(v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.LittleEndian.AppendUint64([]byte{8}, uint64(v))
	case string:
		b := wire.Narrow(v)
		return append(binary.LittleEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	return []byte{0xFF, 0xFF}
}
