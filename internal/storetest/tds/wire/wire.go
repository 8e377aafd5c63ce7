// Package wire is as much of SQL Server's protocol (MS-TDS) as servers that stand
// in for one need: packets, texts, and the tokens of an answer.
package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"unicode/utf16"
)

// Types of packets.
const (
	PackBatch, PackRPC, PackReply, PackAttention, PackTransaction, PackLogin, PackPrelogin = 1, 3, 4, 6, 14, 16, 18
)

// Tokens of an answer, and the flags of the last.
const (
	TokenColumns, TokenError, TokenLoginAck, TokenRow, TokenChange, TokenDone = 0x81, 0xAA, 0xAD, 0xD1, 0xE3, 0xFD

	DoneMore, DoneError, DoneCount, DoneAttention = 1, 2, 16, 32
)

const (
	headerSize = 8
	packetSize = 4096 // what the driver asks for
)

// Read reads one message of any number of packets. The status has the bits of all.
func Read(conn net.Conn) (kind, status byte, body []byte, err error) {
	for {
		header := make([]byte, headerSize)
		if _, err := io.ReadFull(conn, header); err != nil {
			return 0, 0, nil, err
		}
		size := int(binary.BigEndian.Uint16(header[2:])) - headerSize
		if size < 0 {
			return 0, 0, nil, errors.New("a packet shorter than its header")
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(conn, part); err != nil {
			return 0, 0, nil, err
		}
		kind, status, body = header[0], status|header[1], append(body, part...)
		if header[1]&1 != 0 {
			return kind, status, body, nil
		}
	}
}

// Write sends an answer in as many packets as it needs.
func Write(conn net.Conn, body []byte) error {
	for number := byte(1); ; number++ {
		n := min(len(body), packetSize-headerSize)
		header := []byte{PackReply, 0, 0, 0, 0, 0, number, 0}
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

// Wide is the text that some bytes of UTF-16 are.
func Wide(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// Narrow is a text in UTF-16.
func Narrow(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// Short is a text behind the number of its characters, of which there are few.
func Short(s string) []byte {
	b := Narrow(s)
	return append([]byte{byte(len(b) / 2)}, b...)
}

// Token is one token of an answer, of the kinds that tell their length.
func Token(kind byte, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{kind}, uint16(len(body))), body...)
}

// Done ends an answer, or a part of it.
func Done(flags uint16, rows int64) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{TokenDone}, flags)
	return binary.LittleEndian.AppendUint64(append(b, 0xC1, 0), uint64(rows))
}

// Error is an error as the client is told of it; server names who tells.
func Error(server string, number int32, class byte, text []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(number))
	b = append(b, 1, class)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)/2))
	b = append(append(append(b, text...), Short(server)...), Short("")...)
	return Token(TokenError, binary.LittleEndian.AppendUint32(b, 1))
}
