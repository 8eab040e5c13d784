package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a file as YAML.
type document struct {
	root    ast.Node
	aliases map[*ast.AliasNode]ast.Node
}

// openDocument parses src as one YAML document. A fault of it is only one: after it, nothing of the file can be trusted.
func openDocument(src []byte) (doc document, fault *Fault) {
	if len(src) > maxSource {
		return document{}, &Fault{Line: 1, Column: 1, Problem: fmt.Sprintf("the file is over %d bytes", maxSource)}
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(src); at >= 0 {
		line := 1 + bytes.Count(src[:at], []byte("\n"))
		column := 1 + utf8.RuneCount(src[bytes.LastIndexByte(src[:at], '\n')+1:at])
		return document{}, &Fault{Line: line, Column: column, Problem: "is not UTF-8: save the file in that encoding"}
	}
	// The parser is a large one, and a file must not take a running process down, whatever is in it.
	defer func() {
		if recover() != nil {
			doc, fault = document{}, &Fault{Line: 1, Column: 1, Problem: "the file cannot be read as YAML"}
		}
	}()
	if fault := outOfBounds(src); fault != nil {
		return document{}, fault
	}
	tokens := joinPlain(lexer.Tokenize(string(src)))
	if fault := unshapely(tokens); fault != nil {
		return document{}, fault
	}
	// Duplicate keys are for the reader to report, so that it reports them all.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return document{}, syntaxFault(err)
	}
	for i, d := range file.Docs {
		if i > 0 && d.Body != nil {
			return document{}, faultAt(startOf(d.Body), "a second document begins here: the file must have one")
		}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return document{}, &Fault{Line: 1, Column: 1, Problem: "the file is empty: give models, with one model at least"}
	}
	doc.root = file.Docs[0].Body
	doc.aliases = resolveAliases(doc.root)
	return doc, nil
}

// joinPlain makes one token of a plain text like env:NAME where the lexer made a key, a colon and a value of it, as it does
// within the braces of a mapping. A colon that no space follows is part of a plain text (YAML 1.2, section 7.3.3).
func joinPlain(tokens token.Tokens) token.Tokens {
	joined := make(token.Tokens, 0, len(tokens))
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		if i+2 < len(tokens) && tokens[i+1].Type == token.MappingValueType && isPlain(tk) && isPlain(tokens[i+2]) &&
			follows(tk, tokens[i+1]) && follows(tokens[i+1], tokens[i+2]) {
			text := tk.Value + ":" + tokens[i+2].Value
			tk = token.String(text, tk.Origin+tokens[i+1].Origin+tokens[i+2].Origin, tk.Position)
			i += 2
		}
		joined.Add(tk)
	}
	return joined
}

func isPlain(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.NullType,
		token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.InfinityType, token.NanType:
		return true
	default:
		return false
	}
}

// follows reports whether b stands right after a.
func follows(a, b *token.Token) bool {
	return a.Position.Line == b.Position.Line && a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}

func invalidUTF8(src []byte) int {
	for i := 0; i < len(src); {
		c, size := utf8.DecodeRune(src[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// syntaxFault returns the parser's error without the excerpt of the file it prints, which may show a secret.
func syntaxFault(err error) *Fault {
	syntax, ok := errors.AsType[*yaml.SyntaxError](err)
	if !ok {
		return &Fault{Line: 1, Column: 1, Problem: "is not valid YAML"}
	}
	// What a message quotes at length is of the file too.
	message, _, _ := strings.Cut(syntax.Message, ` "`)
	message = strings.ReplaceAll(message, "\t", `\t`)
	starred := syntax.Token != nil && syntax.Token.Prev != nil && syntax.Token.Prev.Type == token.AliasType
	if starred || strings.Contains(message, "reserved character") {
		message += ": put a value that begins with such a character in quotes"
	}
	return faultAt(syntax.Token, "is not valid YAML: "+message)
}

func faultAt(tk *token.Token, problem string) *Fault {
	line, column := place(tk)
	return &Fault{Line: line, Column: column, Problem: problem}
}

// place returns the line and column of a token, and the file's start where it has none.
func place(tk *token.Token) (line, column int) {
	if tk == nil || tk.Position == nil {
		return 1, 1
	}
	return max(tk.Position.Line, 1), max(tk.Position.Column, 1)
}

// startOf returns the first token of a node. A mapping in block style gives its first colon as its own.
func startOf(node ast.Node) *token.Token {
	switch n := node.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return startOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return startOf(n.Key)
	}
	return node.GetToken()
}

// resolveAliases finds what each alias of the tree stands for: the latest anchor of its name that ended before it. So an alias
// inside its own anchor stands for nothing, and no tree contains itself.
func resolveAliases(root ast.Node) map[*ast.AliasNode]ast.Node {
	anchors := map[string]ast.Node{}
	aliases := map[*ast.AliasNode]ast.Node{}
	var walk func(ast.Node)
	walk = func(node ast.Node) {
		switch n := node.(type) {
		case *ast.MappingNode:
			for _, pair := range n.Values {
				walk(pair)
			}
		case *ast.MappingValueNode:
			walk(n.Key)
			walk(n.Value)
		case *ast.MappingKeyNode:
			walk(n.Value)
		case *ast.SequenceNode:
			for _, item := range n.Values {
				walk(item)
			}
		case *ast.TagNode:
			walk(n.Value)
		case *ast.AnchorNode:
			walk(n.Value)
			anchors[nameOf(n.Name)] = n.Value
		case *ast.AliasNode:
			if target, ok := anchors[nameOf(n.Value)]; ok {
				aliases[n] = target
			}
		}
	}
	walk(root)
	return aliases
}

func nameOf(node ast.Node) string {
	if node == nil || node.GetToken() == nil {
		return ""
	}
	return node.GetToken().Value
}
