package attachments_test

import (
	"fmt"
	"strings"
	"testing"

	"baton.dev/baton/internal/attachments"
)

func ExampleReference() {
	r := attachments.Reference{N: 0, Type: "image/png", Bytes: 123, Digest: strings.Repeat("ab", 32)}
	fmt.Println(r)
	// Output: baton-part:0;type=image/png;bytes=123;sha256=abababababababababababababababababababababababababababababababab
}

func TestAReferenceIsReadBack(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"", "image/png", `text/plain;charset="a%b\c"`} {
		want := attachments.Reference{N: 3, Type: typ, Bytes: 9, Digest: strings.Repeat("0f", 32)}
		if got, err := attachments.ParseReference(want.String()); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", want, got, err)
		}
		if strings.ContainsAny(want.String(), "\"\\") {
			t.Errorf("%s needs escapes in JSON", want)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	f.Add(attachments.Reference{N: 1, Type: "a/b", Bytes: 2, Digest: strings.Repeat("0f", 32)}.String())
	f.Add("baton-part:0;type=;bytes=-1;sha256=")
	f.Add("baton-part:+1;type=%253B;bytes=01;sha256=" + strings.Repeat("0F", 32))
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := attachments.ParseReference(s); err == nil && r.String() != s {
			t.Errorf("%q is read as %+v", s, r)
		}
	})
}
