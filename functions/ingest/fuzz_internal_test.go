package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzReadDocument(f *testing.F) {
	for _, seed := range []string{
		`{"model_id":"gpt-4-turbo","prompt":"Say hello."}`, `{"a":[1,-2.5e3,"\u00e9\ud83d\ude00\\\"",null,true,false,{}]}`,
		`[]`, ` "x" `, `0`, `1e999`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "\ufeff{}", "{\"a\":\"\xff\"}", `"\ud800"`,
		strings.Repeat("[", 65), `{"a":1}x`, `{"a":1,}`, `{`, ``, ` `, `-0`, `1E+2`, `{"":{"":[[]]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		doc, p := readDocument(text)
		if !bytes.Equal(given, text) {
			t.Fatal("the text was changed")
		}
		if p != nil {
			if p.Status != 400 || p.Detail == "" || !utf8.ValidString(p.Detail) {
				t.Fatalf("problem %+v", p)
			}
			return
		}
		if !json.Valid(text) || !utf8.Valid(text) {
			t.Fatal("read what is not JSON")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(compact.Bytes()) != doc.digest {
			t.Fatalf("the digest is not of %s", compact.Bytes())
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			if len(doc.faults) == 0 {
				t.Fatalf("encoding/json says %v", err)
			}
			return
		}
		if !reflect.DeepEqual(doc.value, want) {
			t.Fatalf("read %#v, encoding/json reads %#v", doc.value, want)
		}
	})
}

func FuzzParsePrefer(f *testing.F) {
	for _, seed := range []string{"wait=10", "respond-async, wait=5", `foo="a\", wait=5"; b`, `wait="60"`, ",;=\"\\", "wait=9999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if p := parsePrefer([]string{header}); p.wait < 0 || p.wait > maxWait {
			t.Fatalf("waits %v", p.wait)
		}
	})
}

func FuzzParseWait(f *testing.F) {
	for _, seed := range []string{"30", "30s", "1m30s", "-1s", "1e9h", "0.000000001ns", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		if d, ok := parseWait(given); d < 0 || d > maxWait || (!ok && d != 0) {
			t.Fatalf("waits %v, %v", d, ok)
		}
	})
}

func FuzzTraceContext(f *testing.F) {
	f.Add(traceparent, "a=1,b@c=2")
	f.Add("01"+traceparent[2:]+"-more", "a=1,,b=2")
	f.Add("ff"+traceparent[2:], "=")
	f.Fuzz(func(t *testing.T, parent, state string) {
		gotParent, gotState := traceContext([]string{parent}, []string{state})
		if gotParent != "" && gotParent != parent || gotState != "" && gotState != state || gotParent == "" && gotState != "" {
			t.Fatalf("%q %q", gotParent, gotState)
		}
		if strings.ContainsFunc(gotParent+gotState, func(c rune) bool { return c != '\t' && notPrintable(c) }) {
			t.Fatalf("carries %q %q", gotParent, gotState)
		}
	})
}
