package simulated_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

// imageBody is a chat about an image, whose other parts are as long as told.
func imageBody(data string, padding int) string {
	return `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		data + `"}}]}],"user":"` + strings.Repeat("x", padding) + `"}`
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Tokens: 20})
	says := func(body string) string {
		w := ask(s, http.MethodPost, path, body)
		if w.Code != 200 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		c := decode(t, w.Body.String())
		return fmt.Sprint(c.Choices[0].Message.Content, " ", c.Usage.Prompt)
	}
	image := []byte(strings.Repeat("an image ", 1000))
	data := base64.StdEncoding.EncodeToString(image)

	t.Run("are the same read as they are or summed up while they come", func(t *testing.T) {
		t.Parallel()
		if small, large := says(imageBody(data, 0)), says(imageBody(data, 100_000)); small != large {
			t.Errorf("got %q and %q", small, large)
		}
	})
	t.Run("are the same with a solidus escaped, and with line breaks", func(t *testing.T) {
		t.Parallel()
		solidi := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff", 9000)))
		want := says(imageBody(solidi, 0))
		for _, padding := range []int{0, 100_000} {
			if got := says(imageBody(strings.ReplaceAll(solidi, "/", `\/`), padding)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := says(imageBody(solidi[:76]+`\r\n`+solidi[76:], padding)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
	t.Run("are others with one bit changed, at either end", func(t *testing.T) {
		t.Parallel()
		words, tokens := map[string]bool{}, map[string]bool{}
		note := func(body string) {
			said := says(body)
			last := strings.LastIndexByte(said, ' ')
			words[said[:last]], tokens[said[last:]] = true, true
		}
		for _, i := range []int{0, len(image) / 2, len(image) - 1} {
			changed := append([]byte(nil), image...)
			changed[i] ^= 1
			note(imageBody(base64.StdEncoding.EncodeToString(changed), 0))
		}
		note(imageBody(data, 0))
		if len(words) != 4 || len(tokens) != 4 {
			t.Errorf("four images have %d answers and %d numbers of tokens", len(words), len(tokens))
		}
	})
	t.Run("that cannot be decoded are refused, short or long", func(t *testing.T) {
		t.Parallel()
		for name, broken := range map[string]string{
			"a character": data[:5000] + "*" + data[5001:], "cut short": data[:len(data)-1], "padding in the middle": data[:5000] + "AA==" + data[5000:],
			"an escape": data[:5000] + `\t\t` + data[5000:], "nothing": "",
		} {
			for _, padding := range []int{0, 100_000} {
				w := ask(s, http.MethodPost, path, imageBody(broken, padding))
				if w.Code != 400 || !strings.Contains(w.Body.String(), "invalid_base64_image") {
					t.Errorf("%s: got %d %s", name, w.Code, w.Body)
				}
			}
		}
	})
	t.Run("long text is no attachment", func(t *testing.T) {
		t.Parallel()
		text := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("abcd", 50_000) + ` two"}],"data":"` + data + `"}`
		if got := says(text); !strings.HasSuffix(got, " 2") {
			t.Errorf("got %q, want two words", got)
		}
	})
}

// endless gives the same base64 for so many bytes of text.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range n {
		b[i] = 'A'
	}
	e.left -= n
	return n, nil
}

// TestFiftyMegabytesAreReadInPieces is not parallel: it counts what is allocated.
func TestFiftyMegabytesAreReadInPieces(t *testing.T) {
	s := simulated.New(catalog.Simulate{Tokens: 1})
	head, tail, _ := strings.Cut(imageBody("|", 0), "|")
	send := func(size int) int {
		body := io.MultiReader(strings.NewReader(head), &endless{size}, strings.NewReader(tail))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, body))
		return w.Code
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	code := send(50 << 20 / 3 * 4)
	runtime.ReadMemStats(&after)
	if code != 200 {
		t.Errorf("50 MB are answered %d", code)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
		t.Errorf("for 50 MB, %d bytes were allocated", allocated)
	}
	if code := send(100 << 20); code != 413 {
		t.Errorf("100 MB are answered %d", code)
	}
}
