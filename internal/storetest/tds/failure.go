package tds

import "tieline/internal/storetest/tds/wire"

// transaction is the number that every transaction has.
var transaction = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// Changes that the client is told of.
const changeBegun, changeCommitted, changeRolledBack = 8, 9, 10

func change(kind byte) []byte {
	if kind == changeBegun {
		return wire.Token(wire.TokenChange, append(append([]byte{kind, 8}, transaction...), 0))
	}
	return wire.Token(wire.TokenChange, append([]byte{kind, 0, 8}, transaction...))
}

// failure is an error as the client is told of it.
type failure struct {
	number int32
	class  byte
	text   string
}

func (f *failure) Error() string { return f.text }

func (f *failure) token() []byte {
	text := wire.Narrow(f.text)
	return wire.Error("played", f.number, f.class, text[:min(len(text), 4000)])
}

func (f *failure) answer() []byte { return append(f.token(), wire.Done(wire.DoneError, 0)...) }
