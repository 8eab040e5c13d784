package simulated

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
)

func FuzzShrink(f *testing.F) {
	const length = 32
	long := strings.Repeat("AAAA", length/4)
	for _, text := range []string{
		`{"a":"b","url":"data:image/png;base64,` + long + `"}`, `{"data":"` + long + `="}`, `{"data":"` + long + `\/\"}`, `{"url":"` + long + `"}`,
		`{"image_url" : "data:;base64,` + long, `{"data":["` + long + `"]}`, `{"\u0064ata":"\\\""}`, `"`, ``, `{"data":"\u0000!"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var out, slow bytes.Buffer
		if err := shrink(&out, bytes.NewReader(text), length); err != nil {
			t.Fatal(err)
		}
		if err := shrink(&slow, iotest.OneByteReader(bytes.NewReader(text)), length); err != nil || slow.String() != out.String() {
			t.Fatalf("a byte at a time: %v %q, and %q at once", err, &slow, &out)
		}
		if len(text) <= length && out.String() != string(text) {
			t.Errorf("what is short is changed: %q", &out)
		}
		if json.Valid(text) && !json.Valid(out.Bytes()) {
			t.Errorf("what was JSON is none: %q", &out)
		}
	})
}
