package catalog

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Bounds of a file. They are far above any configuration and keep a wrong or hostile one from costing much: what the lexer and
// the parser take grows with the square of the length of some constructs, and they recurse with the nesting. At its bounds a
// file takes a second or two.
const (
	maxSource = 1 << 20 // bytes
	maxValues = 200_000 // with aliases and merges expanded: a few that are nested can stand for millions

	// Of what is said about it.
	maxFaults   = 1000
	maxCompared = 50_000 // names of models with one that is not there, to say which may be meant: each takes microseconds

	// Of the text, for the lexer.
	maxLine   = 64 << 10 // bytes
	maxBlank  = 100      // lines in a row: from the end of a block text each is cut by a copy of all of it
	maxTabs   = 100      // in a line: in quotes, each has the rest of the line searched
	maxAngles = 100      // < in a row: each has those after it counted

	// Of the tokens, for the parser.
	maxTokens    = 200_000
	maxNesting   = 64       // levels: it recurses
	maxKeys      = 10_000   // of one mapping in block style: it recurses, and copies what follows at each
	maxEmpty     = 1000     // keys and items without a value: each has all tokens after it moved
	maxTags      = 100      // one without a value takes what follows as its own, wherever that stands: they nest
	maxDocuments = 16       // marks of them: it recurses, and copies the rest at each
	maxPaths     = 32 << 20 // bytes of the keys above a value, for all values together: it keeps them at each
)

// outOfBounds returns the first line that is not within the bounds of a text, or nil.
func outOfBounds(src []byte) *Fault {
	angles := bytes.Repeat([]byte("<"), maxAngles+1)
	number, blank := 0, 0
	for rest := src; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		number++
		fault := func(before int, problem string, args ...any) *Fault {
			return &Fault{Line: number, Column: 1 + utf8.RuneCount(line[:before]), Problem: fmt.Sprintf(problem, args...)}
		}
		blank++
		if len(bytes.Trim(line, " \t")) > 0 {
			blank = 0
		}
		if blank > maxBlank {
			return fault(0, "over %d blank lines in a row: remove some", maxBlank)
		}
		if len(line) > maxLine {
			return fault(maxLine, "is a line of over %d bytes: break it", maxLine)
		}
		if at := nth(line, '\t', maxTabs+1); at >= 0 {
			return fault(at, "has over %d tabs: put spaces in their place", maxTabs)
		}
		if at := bytes.Index(line, angles); at >= 0 {
			return fault(at+maxAngles, "has over %d < in a row", maxAngles)
		}
	}
	return nil
}

// cutLine cuts the first line off, at any of the three line breaks of YAML.
func cutLine(src []byte) (line, rest []byte) {
	end := bytes.IndexAny(src, "\r\n")
	if end < 0 {
		return src, nil
	}
	line, rest = src[:end], src[end+1:]
	if src[end] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
	}
	return line, rest
}

// nth returns where the nth c is, or -1.
func nth(line []byte, c byte, n int) int {
	at := -1
	for range n {
		next := bytes.IndexByte(line[at+1:], c)
		if next < 0 {
			return -1
		}
		at += 1 + next
	}
	return at
}
