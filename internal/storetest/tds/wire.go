package tds

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"unicode/utf16"
)

// Types of packets.
const (
	packBatch, packRPC, packReply, packAttention, packTransaction, packLogin, packPrelogin = 1, 3, 4, 6, 14, 16, 18
)

// Tokens of an answer, and the flags of the last.
const (
	tokenColumns, tokenError, tokenLoginAck, tokenRow, tokenChange, tokenDone = 0x81, 0xAA, 0xAD, 0xD1, 0xE3, 0xFD

	doneMore, doneError, doneCount, doneAttention = 1, 2, 16, 32
)

const (
	headerSize = 8
	packetSize = 4096 // what the driver asks for
)

// readMessage reads one message of any number of packets.
func readMessage(conn net.Conn) (kind byte, body []byte, err error) {
	for {
		header := make([]byte, headerSize)
		if _, err := io.ReadFull(conn, header); err != nil {
			return 0, nil, err
		}
		size := int(binary.BigEndian.Uint16(header[2:])) - headerSize
		if size < 0 {
			return 0, nil, errors.New("a packet shorter than its header")
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(conn, part); err != nil {
			return 0, nil, err
		}
		kind, body = header[0], append(body, part...)
		if header[1]&1 != 0 {
			return kind, body, nil
		}
	}
}

// writeMessage sends an answer in as many packets as it needs.
func writeMessage(conn net.Conn, body []byte) error {
	for number := byte(1); ; number++ {
		n := min(len(body), packetSize-headerSize)
		header := []byte{packReply, 0, 0, 0, 0, 0, number, 0}
		if n == len(body) {
			header[1] = 1
		}
		binary.BigEndian.PutUint16(header[2:], uint16(n+headerSize))
		if _, err := conn.Write(append(header, body[:n]...)); err != nil {
			return err
		}
		if body = body[n:]; len(body) == 0 {
			return nil
		}
	}
}

func wide(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func narrow(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// short is a text behind the number of its characters, of which there are few.
func short(s string) []byte {
	b := narrow(s)
	return append([]byte{byte(len(b) / 2)}, b...)
}

func token(kind byte, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{kind}, uint16(len(body))), body...)
}

func done(flags uint16, rows int64) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{tokenDone}, flags)
	return binary.LittleEndian.AppendUint64(append(b, 0xC1, 0), uint64(rows))
}

// transaction is the number that every transaction has.
var transaction = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// Changes that the client is told of.
const changeBegun, changeCommitted, changeRolledBack = 8, 9, 10

func change(kind byte) []byte {
	if kind == changeBegun {
		return token(tokenChange, append(append([]byte{kind, 8}, transaction...), 0))
	}
	return token(tokenChange, append([]byte{kind, 0, 8}, transaction...))
}

// failure is an error as the client is told of it.
type failure struct {
	number int32
	class  byte
	text   string
}

func (f *failure) Error() string { return f.text }

func (f *failure) token() []byte {
	text := narrow(f.text)
	text = text[:min(len(text), 4000)]
	b := binary.LittleEndian.AppendUint32(nil, uint32(f.number))
	b = append(b, 1, f.class)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)/2))
	b = append(append(append(b, text...), short("played")...), short("")...)
	return token(tokenError, binary.LittleEndian.AppendUint32(b, 1))
}

func (f *failure) answer() []byte { return append(f.token(), done(doneError, 0)...) }
