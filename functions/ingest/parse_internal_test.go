package ingest

import (
	"strings"
	"testing"
	"time"
)

func TestParsePrefer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		headers []string
		want    preference
	}{
		{nil, preference{}},
		{[]string{"wait=10"}, preference{wait: 10 * time.Second}},
		{[]string{"wait = 10"}, preference{wait: 10 * time.Second}},
		{[]string{`wait="10"`}, preference{wait: 10 * time.Second}},
		{[]string{"WAIT=10; strict"}, preference{wait: 10 * time.Second}},
		{[]string{"wait=600"}, preference{wait: maxWait}},
		{[]string{"wait=99999999999999999999"}, preference{wait: maxWait}},
		{[]string{"respond-async, wait=5"}, preference{wait: 5 * time.Second, async: true}},
		{[]string{"respond-async", "wait=5"}, preference{wait: 5 * time.Second, async: true}},
		{[]string{`respond-async=""`}, preference{async: true}},
		{[]string{"respond-async=maybe"}, preference{}},
		{[]string{"wait=5, wait=6"}, preference{wait: 5 * time.Second}},
		{[]string{"wait=x", "wait=6"}, preference{}},
		{[]string{`foo="a, wait=5"`}, preference{}},
		{[]string{`foo="a\", wait=5", wait=6`}, preference{wait: 6 * time.Second}},
		{[]string{`foo; bar="wait=5, wait=5"; baz, wait=7`}, preference{wait: 7 * time.Second}},
		{[]string{"wait=-1"}, preference{}},
		{[]string{"wait=١"}, preference{}},
		{[]string{""}, preference{}},
	} {
		if got := parsePrefer(c.headers); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.headers, got, c.want)
		}
	}
}

func TestParseWait(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "30s": 30 * time.Second, "1.5s": 1500 * time.Millisecond, "250ms": 250 * time.Millisecond,
		"1m": maxWait, "2h": maxWait, "61": maxWait, "9999999999999999999999": maxWait,
		"": -1, "-1": -1, "-1s": -1, "x": -1, "1 s": -1, "1e3": -1, "∞": -1,
	} {
		got, ok := parseWait(given)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", given, got, want)
		}
	}
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTraceContext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		parents, states []string
		parent, state   string
	}{
		{"nothing", nil, nil, "", ""},
		{"a parent", []string{traceparent}, nil, traceparent, ""},
		{"a parent and a state", []string{traceparent}, []string{"a=1, b@c=2"}, traceparent, "a=1, b@c=2"},
		{"a state in two headers", []string{traceparent}, []string{"a=1", "b=2"}, traceparent, "a=1,b=2"},
		{"a state alone", nil, []string{"a=1"}, "", ""},
		{"two parents", []string{traceparent, traceparent}, []string{"a=1"}, "", ""},
		{"a bad state", []string{traceparent}, []string{"a"}, traceparent, ""},
		{"a key twice", []string{traceparent}, []string{"a=1,a=2"}, traceparent, ""},
		{"an upper-case key", []string{traceparent}, []string{"A=1"}, traceparent, ""},
		{"a state of 33 members", []string{traceparent}, []string{members(33)}, traceparent, ""},
		{"a state of 32 members", []string{traceparent}, []string{members(32)}, traceparent, members(32)},
		{"a long state", []string{traceparent}, []string{"a=" + strings.Repeat("x", 600)}, traceparent, ""},
		{"an unknown version with more", []string{"01" + traceparent[2:] + "-more"}, nil, "01" + traceparent[2:] + "-more", ""},
		{"an unknown version with more joined on", []string{"01" + traceparent[2:] + "more"}, nil, "", ""},
		{"version 00 with more", []string{traceparent + "-more"}, nil, "", ""},
		{"version ff", []string{"ff" + traceparent[2:]}, nil, "", ""},
		{"upper case", []string{strings.ToUpper(traceparent)}, nil, "", ""},
		{"no trace id", []string{"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"}, nil, "", ""},
		{"no parent id", []string{"00-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01"}, nil, "", ""},
		{"other separators", []string{strings.ReplaceAll(traceparent, "-", "_")}, nil, "", ""},
		{"a short one", []string{traceparent[:54]}, nil, "", ""},
		{"flags that are no hex", []string{traceparent[:53] + "0g"}, nil, "", ""},
	} {
		parent, state := traceContext(c.parents, c.states)
		if parent != c.parent || state != c.state {
			t.Errorf("%s: %q, %q; want %q, %q", c.name, parent, state, c.parent, c.state)
		}
	}
}

func members(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "=1"
	}
	return strings.Join(all, ",")
}

func TestTheDigestIsOfTheTokens(t *testing.T) {
	t.Parallel()
	digest := func(text string) [32]byte {
		doc, p := readDocument([]byte(text))
		if p != nil {
			t.Fatalf("%s: %+v", text, p)
		}
		return doc.digest
	}
	of := digest(`{"a":[1,"b c",null,true,{}],"d":{"e":[]}}`)
	if same := digest(" {\n\"a\" : [ 1 , \"b c\" , null,\ttrue , { } ] ,\r\n \"d\":{\"e\":[ ]} } "); same != of {
		t.Error("layout changes the digest")
	}
	for _, other := range []string{
		`{"a":[1,"b  c",null,true,{}],"d":{"e":[]}}`, `{"a":[1.0,"b c",null,true,{}],"d":{"e":[]}}`,
		`{"d":{"e":[]},"a":[1,"b c",null,true,{}]}`, `{"a":[1,"b\u0020c",null,true,{}],"d":{"e":[]}}`,
	} {
		if digest(other) == of {
			t.Errorf("%s has the same digest", other)
		}
	}
}

func TestTheSchemaNamesNothingTwiceAndSaysSomethingOfEveryField(t *testing.T) {
	t.Parallel()
	schema := compileSchema()
	for range 20 { // the validator walks objects in the random order of maps
		doc, p := readDocument([]byte(`{"metadata":{"` + strings.Repeat("n", 65) + `":"x","ok":1},"prompt":1,"model_id":1,"x":1,"y":1}`))
		if p != nil {
			t.Fatal(p)
		}
		var got []string
		for _, e := range tidy(validate(schema, doc.value)) {
			got = append(got, e.Pointer)
		}
		want := "/metadata/" + strings.Repeat("n", 65) + " /metadata/ok /model_id /prompt /x /y"
		if s := strings.Join(got, " "); s != want {
			t.Fatalf("pointers %s, want %s", s, want)
		}
	}
}
