package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestWhatWouldCostMuchIsRefused has the texts whose cost in the lexer or parser grows with the square of their length, or
// faster. They are refused for what they are, before it is paid.
func TestWhatWouldCostMuchIsRefused(t *testing.T) {
	t.Parallel()
	const a, x = "a: b\n", "x: {"
	repeat := strings.Repeat
	const (
		blank  = ": over 100 blank lines in a row: remove some"
		tabbed = ": has over 100 tabs: put spaces in their place"
		angles = ": has over 100 < in a row"
		tokens = ": has over 200000 keys, values and marks: make it smaller"
		deep   = ": is nested deeper than 64 levels"
		keys   = ": is a mapping of over 10000 keys in block style: put it in braces, or make it smaller"
		empty  = ": has over 1000 keys and items without a value: give them one, or remove them"
		tags   = ": has over 100 tags, which are not supported: write plain values"
		many   = ": has over 16 marks of documents: the file must have one document"
		paths  = ": has too long keys too far up: shorten those that much stands under"
	)
	for name, tt := range map[string]struct{ src, want string }{
		"blank lines in a block text":              {"a: |\n " + repeat("\n", 40_000), "f:102:1" + blank},
		"blank lines in a folded text":             {"a: >\n b\n" + repeat("\n", 40_000), "f:103:1" + blank},
		"lines of spaces in a block text":          {"a: |\n " + repeat("   \n", 10_000), "f:102:1" + blank},
		"lines of spaces and tabs":                 {"a: |\n " + repeat(" \t\n", 10_000), "f:102:1" + blank},
		"carriage returns in a block text":         {"a: |\n " + repeat("\r", 40_000), "f:102:1" + blank},
		"empty lines of Windows in a block text":   {"a: |\r\n " + repeat("\r\n", 20_000), "f:102:1" + blank},
		"blank lines anywhere":                     {one + repeat("\n", 101) + "tenants: {}\n", "f:103:1" + blank},
		"tabs in quotes":                           {`a: "` + repeat("b\t", 20_000) + `"`, "f:1:206" + tabbed},
		"angle brackets":                           {"a: " + repeat("<", 40_000), "f:1:104" + angles},
		"angle brackets after others":              {"é: é" + repeat("<<", 20_000), "f:1:105" + angles},
		"a long line":                              {"a: b # " + repeat("c", maxLine), "f:1:65537: is a line of over 65536 bytes: break it"},
		"a long line of others":                    {a + "# " + repeat("é", maxLine/2), "f:2:32770: is a line of over 65536 bytes: break it"},
		"values without end":                       {"a: [" + repeat("1,\n", 101_000) + "]", "f:99999:2" + tokens},
		"braces in braces":                         {repeat("{a: ", 2000), "f:1:257" + deep},
		"brackets in brackets":                     {repeat("[", 2000), "f:1:65" + deep},
		"mappings of lists of mappings":            {repeat("{a: [", 2000), "f:1:161" + deep},
		"lists in a line":                          {repeat("- ", 20_000), "f:1:129" + deep},
		"keys in a line":                           {repeat("? ", 20_000), "f:1:129" + deep},
		"tags":                                     {"a: " + repeat("!a ", 20_000), "f:1:132" + deep},
		"anchors":                                  {"a: " + repeat("&a ", 20_000), "f:1:196" + deep},
		"mappings by indentation":                  {indented(700), "f:65:66" + deep},
		"lists by indentation":                     {stairs(200, "-\n"), "f:65:65" + deep},
		"explicit keys by indentation":             {stairs(200, "? \n"), "f:65:65" + deep},
		"mappings by indentation, within brackets": {"[" + indented(700), "f:65:66" + deep},
		"keys":                      {repeat(a, 20_000), "f:10001:2" + keys},
		"keys without values":       {repeat("a:\n", 20_000), "f:1001:2" + empty},
		"keys under a key":          {"a:\n" + repeated(20_000, " k%d: 1\n"), "f:10002:8" + keys},
		"explicit keys":             {repeat("? a\n", 20_000), "f:1001:1" + empty},
		"explicit keys with values": {repeat("? a\n: 1\n", 12_000), "f:20001:1" + keys},
		"quoted keys":               {repeat("'a': 1\n", 20_000), "f:10001:4" + keys},
		"anchored keys":             {repeated(20_000, "&a%d a: 1\n"), "f:10001:10" + keys},
		"keys after many lists at their own column":  {repeated(12_000, "k%d:\n- a\n- b\n"), "f:30001:7" + keys},
		"colons at the start of lines":               {"a: 1\n" + repeat(": 1\n", 20_000), "f:10001:1" + keys},
		"items without values":                       {repeat("-\n", 20_000), "f:1001:1" + empty},
		"keys without values, one a list":            {repeat("- a:\n", 20_000), "f:1001:4" + empty},
		"keys without values in braces":              {x + repeat("a,", 20_000) + "}", "f:1:2006" + empty},
		"keys without values in braces, with colons": {x + repeat("a: ,", 10_000) + "}", "f:1:4008" + empty},
		"braces with a key without a value in each":  {"x: [" + repeat("{a},", 10_000) + "]", "f:1:4007" + empty},
		"keys without values in brackets":            {"x: [" + repeat("a:\n,", 10_000) + "]", "f:1001:3" + empty},
		"items of a tag alone":                       {repeat("- !\n", 20_000), "f:101:3" + tags},
		"tags with values":                           {repeat("- !a b\n", 20_000), "f:101:3" + tags},
		"documents":                                  {repeat("---\na\n", 10_000), "f:33:1" + many},
		"ends of documents":                          {repeat("a\n...\n", 10_000), "f:34:1" + many},
		"a long key over many":                       {repeat("k", 20_000) + ":\n" + repeated(9_000, " k%d: 1\n"), "f:560:6" + paths},
		"a long key over many in braces":             {"{" + repeat("k", 20_000) + ": {" + repeat("a: 1,\n", 20_000), "f:419:2" + paths},
		"a long explicit key over many":              {"? " + repeat("k", 20_000) + "\n:\n" + repeated(9_000, " k%d: 1\n"), "f:560:8" + paths},
		"long keys in long keys over many": {
			nestedKeys(60, 1000) + repeat(" ", 60) + "[" + repeat("a,\n", 50_000), "f:307:2" + paths,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Parse("f", []byte(tt.src))
			faults, ok := errors.AsType[*Faults](err)
			if c != nil || !ok || faults.Len() != 1 {
				t.Fatalf("Parse = %v, %.200v: want one fault", c, err)
			}
			equal(t, "fault", faults.Error(), tt.want)
		})
	}
}

func TestWhatIsSaidOfAFileEnds(t *testing.T) {
	t.Parallel()
	_, err := Parse("f", []byte("models:\n"+repeated(9000, "  model%[1]d: {targets: [{name: t%[1]d, api: simulated}]}\n")+
		"  m:\n    targets: [{name: a, api: simulated}]\n    fallback: [\n"+repeated(20_000, "nodel%d,\n")+"]\n"))
	faults, ok := errors.AsType[*Faults](err)
	if !ok || faults.Len() != maxFaults+1 {
		t.Fatalf("err = %.200v: want %d faults", err, maxFaults+1)
	}
	said := strings.Split(faults.Error(), "\n")
	equal(t, "the first", said[0], "f:9005:1: models.m.fallback[0]: there is no such model: did you mean model0?")
	equal(t, "one after many", said[9], "f:9014:1: models.m.fallback[9]: there is no such model: add it to models, or remove it here")
	equal(t, "the last", said[maxFaults],
		"f:10005:1: models.m.fallback[1000]: over 1000 faults: what else there may be is not looked for")

	r, root, _ := newReader("f", "", []byte("models: {"+repeated(5000, "m%d: 1,\n")+"}"))
	r.catalog(r.at(root, ""), withDefaults())
	if read := len(r.faults); !r.spent() || read != maxFaults+1 {
		t.Errorf("%d faults of a file of 5000, and the reading goes on: %v", read, !r.spent())
	}
}

// repeated returns a line for each number up to n.
func repeated(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

func TestMergesAreCountedWithWhatTheyAdd(t *testing.T) {
	t.Parallel()
	const models, levels = 300, 800
	var b strings.Builder
	b.WriteString("models: &a0 {" + repeated(models, "m%[1]d: {targets: [{name: t%[1]d, api: simulated}]},\n") + "}\n")
	for i := range levels {
		fmt.Fprintf(&b, "x%[1]d: &a%[2]d {<<: *a%[1]d}\n", i, i+1)
	}
	fmt.Fprintf(&b, "<<: *a%d\n", levels)
	_, err := Parse("f", []byte(b.String()))
	if want := "with aliases expanded, the file has over 200000 values"; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("err = %.200v: want %s", err, want)
	}
}

// TestLargeConfigurationsLoad has one with as much of everything as fits.
func TestLargeConfigurationsLoad(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# " + strings.Repeat("=", 200) + strings.Repeat("\t", maxTabs) + strings.Repeat("<", maxAngles) + "\n")
	b.WriteString(strings.Repeat("\n", maxBlank))
	b.WriteString("models:\n")
	b.WriteString(repeated(2500, "  organisation/model-with-a-long-name-%[1]d:\n    targets:\n      - name: t%[1]d\n"+
		"        api: openai\n        url: https://api-%[1]d.example.com/v1\n        weight: 8\n"))
	b.WriteString("tenants:\n" + repeated(4500, "  tenant-%[1]d: {keys: ['sha256:%064[1]d'], secrets: ['env:S%[1]d']}\n"))
	if b.Len() < maxSource*9/10 {
		t.Errorf("%d bytes are not large", b.Len())
	}
	c := parse(t, b.String())
	if len(c.Models) != 2500 || len(c.Tenants) != 4500 || len(c.references) != 4500 {
		t.Errorf("%d models, %d tenants, %d references to secrets", len(c.Models), len(c.Tenants), len(c.references))
	}
}

// stairs returns a line for each level, each one column further in.
func stairs(levels int, line string) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + line)
	}
	return b.String()
}

// nestedKeys returns long keys, each under the one before.
func nestedKeys(levels, length int) string {
	return stairs(levels, strings.Repeat("k", length)+":\n")
}
