package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// merged is a JSON value that comes in pieces, as OpenAI's own clients put them together: texts one after the other, objects
// by their members, lists by the index that their elements name, or else one after the other, and of all else the last.
type merged struct {
	kind   byte            // the first byte of a value of the kind; 0: nothing came
	last   json.RawMessage // of what is not put together
	text   []byte
	names  []string // of members, as they came
	fields map[string]*merged
	list   []*merged
	at     map[int]*merged // those of the list that name an index, the last of each
	index  int             // as an element of a list
	calls  bool            // it is a list of tool calls
}

// add puts a piece to the value. The piece must be JSON. It returns by about how many bytes the value grew.
func (m *merged) add(piece json.RawMessage) (grown int) {
	piece = bytes.TrimSpace(piece)
	if len(piece) == 0 || piece[0] == 'n' && m.kind != 0 {
		return 0 // null takes nothing back
	}
	if kind := piece[0]; m.kind != kind {
		*m = merged{kind: kind, index: m.index, calls: m.calls}
		grown = 2
	}
	switch m.kind {
	case '"':
		s := jsonString(piece)
		m.text = append(m.text, s...)
		return grown + len(s)
	case '{':
		return grown + m.addFields(piece)
	case '[':
		return grown + m.addElements(piece)
	default:
		m.last = bytes.Clone(piece)
		return grown + len(piece)
	}
}

func (m *merged) addFields(piece json.RawMessage) (grown int) {
	each(piece, func(name string, value json.RawMessage) { grown += m.addField(name, value) })
	return grown
}

func (m *merged) addField(name string, piece json.RawMessage) (grown int) {
	f, ok := m.fields[name]
	if !ok {
		f = &merged{calls: name == "tool_calls"}
		if m.fields == nil {
			m.fields = map[string]*merged{}
		}
		m.fields[name] = f
		m.names = append(m.names, name)
		grown = len(name) + 4
	}
	if f.repeats(name, piece) {
		return grown
	}
	return grown + f.add(piece)
}

// repeats reports whether a piece of the member of that name is nothing to put to what came before. Ids and words of a closed
// set come whole, and some servers repeat them in every piece; so do some with a function's name.
func (m *merged) repeats(name string, piece json.RawMessage) bool {
	switch name {
	case "id", "type", "role", "format":
		return len(m.text) > 0 && m.kind == '"'
	case "name":
		return len(m.text) > 0 && jsonString(piece) == string(m.text)
	default:
		return false
	}
}

// element is what says where an element of a list belongs.
type element struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
}

func (m *merged) addElements(piece json.RawMessage) (grown int) {
	var pieces []json.RawMessage
	_ = json.Unmarshal(piece, &pieces) // it is a list
	for _, p := range pieces {
		var e element
		var to *merged
		if p[0] == '{' {
			_ = json.Unmarshal(p, &e) // what is odd says nothing
			to = m.belongs(e)
		}
		if to == nil {
			to = &merged{}
			m.list = append(m.list, to)
			if e.Index != nil {
				if m.at == nil {
					m.at = map[int]*merged{}
				}
				to.index, m.at[*e.Index] = *e.Index, to
			}
			grown += 2
		}
		grown += to.add(p)
	}
	return grown
}

// belongs returns the element that a piece of it is put to, or nil if it begins one. Not all servers number their tool calls,
// and some give several the same number: there another id begins another call, and a name does where there is no number.
func (m *merged) belongs(e element) *merged {
	switch {
	case e.Index != nil:
		to := m.at[*e.Index]
		if m.calls && to != nil && e.ID != "" && to.id() != "" && to.id() != e.ID {
			return nil
		}
		return to
	case m.calls && len(m.list) > 0 && e.ID == "" && e.Function.Name == "":
		return m.list[len(m.list)-1]
	default:
		return nil
	}
}

func (m *merged) id() string {
	if f := m.fields["id"]; f != nil {
		return string(f.text)
	}
	return ""
}

// write appends the value as JSON: the members named first in that order, if they are there, and then the others as they came.
func (m *merged) write(b *bytes.Buffer, first ...string) {
	switch {
	case m == nil || m.kind == 0:
		b.WriteString("null")
	case m.kind == '"':
		writeString(b, string(m.text))
	case m.kind == '[':
		m.writeList(b, func(e *merged) { e.write(b) })
	case m.kind == '{':
		m.writeFields(b, first)
	default:
		b.Write(m.last)
	}
}

// writeList appends a list, of which the elements that name an index stand in its order.
func (m *merged) writeList(b *bytes.Buffer, write func(e *merged)) {
	list := m.list
	if m.at != nil {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(x, y *merged) int { return cmp.Compare(x.index, y.index) })
	}
	b.WriteByte('[')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		write(e)
	}
	b.WriteByte(']')
}

func (m *merged) writeFields(b *bytes.Buffer, first []string) {
	o := object{b: b}
	for _, name := range first {
		if f, ok := m.fields[name]; ok {
			f.write(o.member(name))
		}
	}
	for _, name := range m.names {
		if !slices.Contains(first, name) {
			m.fields[name].write(o.member(name))
		}
	}
	o.end()
}

// object writes a JSON object. The zero value, with a buffer, is one without members.
type object struct {
	b    *bytes.Buffer
	open bool
}

// member begins a member and returns where its value goes.
func (o *object) member(name string) *bytes.Buffer {
	if o.open {
		o.b.WriteByte(',')
	} else {
		o.b.WriteByte('{')
	}
	o.open = true
	writeString(o.b, name)
	o.b.WriteByte(':')
	return o.b
}

// put adds a member whose value is that JSON.
func (o *object) put(name string, value []byte) {
	o.member(name)
	o.b.Write(value)
}

func (o *object) end() {
	if !o.open {
		o.b.WriteByte('{')
	}
	o.b.WriteByte('}')
}

// each calls f for each member of an object, in order.
func each(raw json.RawMessage, f func(name string, value json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return
	}
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return
		}
		s, _ := name.(string)
		f(s, value)
	}
}
