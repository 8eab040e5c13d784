package catalog

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// unshapely returns the first token at which the tokens are not within the bounds for the parser, or nil.
func unshapely(tokens token.Tokens) *Fault {
	var o outline
	taken := 0
	for _, tk := range tokens {
		if tk.Type == token.CommentType {
			continue
		}
		taken++
		if taken > maxTokens {
			return faultAt(tk, fmt.Sprintf("has over %d keys, values and marks: make it smaller", maxTokens))
		}
		o.take(tk)
		if problem := o.beyond(); problem != "" {
			return faultAt(tk, problem)
		}
	}
	return nil
}

// outline follows the levels of a file from token to token as the parser will, and measures what the parser's cost depends on.
// It need not be exact for what is no valid YAML: the parser stops there.
type outline struct {
	levels    []level
	depth     int // of the levels, those that hold
	path      int // bytes that the keys of all levels add to a path
	paths     int // the sum of path over the tokens
	run       int // tags and anchors in a row
	tags      int
	empty     int // keys and items without a value
	documents int // marks of documents
}

// level is a mapping or list that is open: in braces or brackets until they are closed, in block style until something stands
// further left. A pair within braces or brackets is such a mapping too, until the next comma.
type level struct {
	kind   token.Type // MappingStart or SequenceStart; MappingValue or SequenceEntry in block style
	column int
	holds  bool // it is a level of its own, and no pair in braces
	key    int  // bytes that its current key or index adds to a path
	keys   int
	asked  bool // its current key began with ? and has no colon yet
	named  bool // in braces: the current entry has a key
	valued bool // in braces: the current entry has a value
}

// around is what an index adds to a path, and to a key what stands around it there.
const around = 8

func (l *level) flow() bool {
	return l.kind == token.MappingStartType || l.kind == token.SequenceStartType
}

func (o *outline) beyond() string {
	switch {
	case o.depth > maxNesting || o.run > maxNesting:
		return fmt.Sprintf("is nested deeper than %d levels", maxNesting)
	case len(o.levels) > 0 && o.top().keys > maxKeys:
		return fmt.Sprintf("is a mapping of over %d keys in block style: put it in braces, or make it smaller", maxKeys)
	case o.empty > maxEmpty:
		return fmt.Sprintf("has over %d keys and items without a value: give them one, or remove them", maxEmpty)
	case o.tags > maxTags:
		return fmt.Sprintf("has over %d tags, which are not supported: write plain values", maxTags)
	case o.documents > maxDocuments:
		return fmt.Sprintf("has over %d marks of documents: the file must have one document", maxDocuments)
	case o.paths > maxPaths:
		return "has too long keys too far up: shorten those that much stands under"
	default:
		return ""
	}
}

func (o *outline) take(tk *token.Token) {
	column := tk.Position.Column
	switch tk.Type {
	case token.DocumentHeaderType, token.DocumentEndType:
		o.documents++
		o.cut(0)
	case token.MappingStartType, token.SequenceStartType:
		o.name()
		o.push(level{kind: tk.Type, column: column, holds: true, key: around})
	case token.MappingEndType, token.SequenceEndType:
		o.endEntry()
		o.cut(len(o.levels) - 1)
	case token.CollectEntryType:
		o.endEntry()
	case token.SequenceEntryType:
		o.item(tk)
	case token.MappingKeyType:
		length := around
		if tk.Next != nil {
			length += len(tk.Next.Value)
		}
		o.key(column, length)
		o.top().asked = true
		o.empty++ // until its colon comes
	case token.MappingValueType:
		o.colon(tk)
	default:
		o.name()
	}
	switch {
	case tk.Type == token.TagType:
		o.tags++
		o.run++
	case tk.Type == token.AnchorType:
		o.run++
	case tk.Prev == nil || tk.Prev.Type != token.AnchorType: // it is not the name of an anchor
		o.run = 0
	}
	o.paths += o.path
}

func (o *outline) top() *level { return &o.levels[len(o.levels)-1] }

func (o *outline) push(l level) {
	if l.holds {
		o.depth++
	}
	o.path += l.key
	o.levels = append(o.levels, l)
}

// cut leaves the outermost n levels.
func (o *outline) cut(n int) {
	for len(o.levels) > max(n, 0) {
		if l := o.top(); l.holds {
			o.depth--
		}
		o.path -= o.top().key
		o.levels = o.levels[:len(o.levels)-1]
	}
}

// dedent ends what in block style cannot go on at the column: with a key, a list at it too.
func (o *outline) dedent(column int, key bool) {
	for len(o.levels) > 0 && !o.top().flow() &&
		(o.top().column > column || key && o.top().column == column && o.top().kind == token.SequenceEntryType) {
		o.cut(len(o.levels) - 1)
	}
}

// at reports whether the innermost level is of the kind and at the column.
func (o *outline) at(kind token.Type, column int) bool {
	return len(o.levels) > 0 && o.top().kind == kind && o.top().column == column
}

func (o *outline) item(tk *token.Token) {
	column := tk.Position.Column
	o.dedent(column, false)
	if !o.at(token.SequenceEntryType, column) {
		o.push(level{kind: token.SequenceEntryType, column: column, holds: true, key: around})
	}
	o.miss(tk)
}

func (o *outline) key(column, length int) {
	o.dedent(column, true)
	if !o.at(token.MappingValueType, column) {
		holds := len(o.levels) == 0 || o.top().kind != token.MappingStartType
		o.push(level{kind: token.MappingValueType, column: column, holds: holds})
	}
	l := o.top()
	o.path += length - l.key
	l.key, l.asked = length, false
	l.keys++
}

func (o *outline) colon(tk *token.Token) {
	column, length, ok := keyBefore(tk)
	o.dedent(column, true)
	if !ok && o.at(token.MappingValueType, column) && o.top().asked {
		o.top().asked = false
		o.empty--
	} else {
		o.key(column, length+around)
	}
	if braces := o.braces(); braces != nil {
		braces.named = true
		braces.valued = tk.Next != nil && tk.Next.Type != token.CollectEntryType && tk.Next.Type != token.MappingEndType
	}
	o.miss(tk)
}

// keyBefore returns where the key before a colon begins, with its tag and anchor, and its length. It is not ok where there is
// none, but the colon begins its line and no text in quotes ends there: then it is about the colon itself.
func keyBefore(colon *token.Token) (column, length int, ok bool) {
	key := colon.Prev
	if key == nil {
		return colon.Position.Column, 0, false
	}
	quoted := key.Type == token.SingleQuoteType || key.Type == token.DoubleQuoteType
	if key.Position.Line < colon.Position.Line && !quoted {
		return colon.Position.Column, 0, false
	}
	start := key
	for before := key.Prev; before != nil && before.Position.Line == key.Position.Line; before = start.Prev {
		switch {
		case before.Type == token.TagType || before.Type == token.AliasType || before.Type == token.AnchorType:
			start = before
		case before.Prev != nil && before.Prev.Type == token.AnchorType:
			start = before.Prev
		default:
			return start.Position.Column, len(key.Value), true
		}
	}
	return start.Position.Column, len(key.Value), true
}

// miss counts a colon or dash after which nothing follows that could be its value.
func (o *outline) miss(tk *token.Token) {
	next := tk.Next
	for next != nil && next.Type == token.CommentType {
		next = next.Next
	}
	if next == nil || next.Position.Line == tk.Position.Line {
		return
	}
	list := tk.Type == token.MappingValueType && next.Type == token.SequenceEntryType // may stand right below its key
	if c := o.top().column; next.Position.Column < c || next.Position.Column == c && !list {
		o.empty++
	}
}

// braces returns the level of the braces that are innermost of braces and brackets, or nil.
func (o *outline) braces() *level {
	for i := len(o.levels) - 1; i >= 0; i-- {
		if l := &o.levels[i]; l.flow() {
			if l.kind == token.MappingStartType {
				return l
			}
			return nil
		}
	}
	return nil
}

// name notes that the current entry of braces has a key, if nothing more.
func (o *outline) name() {
	if braces := o.braces(); braces != nil {
		braces.named = true
	}
}

// endEntry ends the current entry of braces or brackets.
func (o *outline) endEntry() {
	for len(o.levels) > 0 && !o.top().flow() {
		o.cut(len(o.levels) - 1)
	}
	if braces := o.braces(); braces != nil {
		if braces.named && !braces.valued {
			o.empty++
		}
		braces.named, braces.valued = false, false
	}
}
