package tds

import (
	"encoding/binary"
	"fmt"
	"math"

	"tieline/internal/storetest/tds/wire"
)

// Types of parameters and columns.
const (
	typeInt, typeBit, typeDatetime, typeVarchar, typeNvarchar = 0x26, 0x68, 0x6F, 0xA7, 0xE7

	unbounded = 0xFFFF // length of a type whose values come in pieces
)

// kind is what a column's values are sent as.
type kind int

const (
	texts kind = iota
	numbers
	stamps // sent as one and the same: nobody looks
)

// call reads a call of sp_executesql: the text and the parameters, by name. A
// parameter of a type that is not known here is refused, as it is elsewhere.
func call(b []byte) (text string, args map[string]any, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = &failure{8009, 16, fmt.Sprint(bug)}
		}
	}()
	args = map[string]any{}
	for i := 0; len(b) > 0; i++ {
		n := 1 + 2*int(b[0])
		name := wire.Wide(b[1:n])
		var v any
		v, b = value(b[n+1:])
		switch i {
		case 0:
			text, _ = v.(string)
		case 1: // the declarations
		default:
			args[name] = v
		}
	}
	return text, args, nil
}

// value reads one parameter's type and value: nil, an int64 or a string.
func value(b []byte) (v any, rest []byte) {
	switch b[0] {
	case typeInt, typeBit:
		n := int(b[2])
		return integer(b[3 : 3+n]), b[3+n:]
	case typeVarchar:
		data, rest := bytesOf(b)
		if data == nil {
			return nil, rest
		}
		return string(data), rest
	case typeNvarchar:
		data, rest := bytesOf(b)
		if data == nil {
			return nil, rest
		}
		return wire.Wide(data), rest
	}
	panic(fmt.Sprintf("a parameter of type %#x", b[0]))
}

func integer(b []byte) any {
	switch len(b) {
	case 1:
		return int64(b[0])
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case 8:
		return int64(binary.LittleEndian.Uint64(b))
	}
	return nil
}

// bytesOf reads a text's type and bytes; nil is NULL.
func bytesOf(b []byte) (data, rest []byte) {
	size := binary.LittleEndian.Uint16(b[1:])
	b = b[8:] // type, size, collation
	if size != unbounded {
		n := binary.LittleEndian.Uint16(b)
		if n == math.MaxUint16 {
			return nil, b[2:]
		}
		return append([]byte{}, b[2:2+int(n)]...), b[2+int(n):]
	}
	whole := binary.LittleEndian.Uint64(b)
	b = b[8:]
	if whole == math.MaxUint64 {
		return nil, b
	}
	data = []byte{}
	for {
		n := int(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if n == 0 {
			return data, b
		}
		data, b = append(data, b[:n]...), b[n:]
	}
}

// result is what a statement answered.
type result struct {
	kinds []kind // nil: it answers no rows
	rows  [][]any
	count int64
}

func (r result) tokens() []byte {
	var b []byte
	if r.kinds != nil {
		b = columns(r.kinds)
		for _, row := range r.rows {
			b = append(b, wire.TokenRow)
			for i, v := range row {
				b = append(b, cell(r.kinds[i], v)...)
			}
		}
	}
	return append(b, wire.Done(wire.DoneMore|wire.DoneCount, r.count)...)
}

func columns(kinds []kind) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{wire.TokenColumns}, uint16(len(kinds)))
	for _, k := range kinds {
		b = append(b, 0, 0, 0, 0, 1, 0)
		switch k {
		case numbers:
			b = append(b, typeInt, 8)
		case stamps:
			b = append(b, typeDatetime, 8)
		default:
			b = append(b, typeNvarchar, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34)
		}
		b = append(b, wire.Short("c")...)
	}
	return b
}

func cell(k kind, v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.LittleEndian.AppendUint64([]byte{8}, uint64(v))
	case string:
		if k == stamps {
			return []byte{8, 0, 0, 1, 0, 0, 0, 0, 0}
		}
		text := wire.Narrow(v)
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
		if len(text) > 0 {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
		}
		return append(b, 0, 0, 0, 0)
	}
	if k == texts {
		return binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	}
	return []byte{0}
}
