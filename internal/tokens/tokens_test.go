package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/tokens"
)

func TestIDsAreInTheOrderOfTheirExecutions(t *testing.T) {
	t.Parallel()
	ordered := []tokens.ID{
		{}, {Attempt: 1}, {Attempt: 1, N: 1}, {Attempt: 1, Token: 1}, {Attempt: 1, Token: 2, N: 9}, {Attempt: 2}, {Attempt: 10},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), min(1, max(-1, i-j)); got != want {
				t.Errorf("%s to %s is %d", a, b, got)
			}
		}
	}
	if ordered[2].Supersedes(ordered[1]) || !ordered[3].Supersedes(ordered[2]) || ordered[3].Supersedes(ordered[5]) {
		t.Error("of two pieces of one execution one supersedes the other, or a later execution does not")
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"1.1.0", "", "1.1", "-1.1.1", "1.1.1.1", "01.+1.1", "9223372036854775808.1.1", "result", "1.1.1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := tokens.ParseID(s)
		if err != nil {
			return
		}
		if id.Attempt < 0 || id.Token < 0 || id.N < 0 {
			t.Fatalf("%q is %+v", s, id)
		}
		if again, err := tokens.ParseID(id.String()); err != nil || again != id {
			t.Fatalf("%q is %s, and that %s, %v", s, id, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, p := range []tokens.Piece{{}, {ID: tokens.ID{Attempt: 1, Token: math.MaxInt64, N: 3}, Text: "é\n", Choices: json.RawMessage(`[{}]`)}} {
		b, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"id":"1.2","text":"x"}`))
	f.Add([]byte(`{"id":"1.2.3","choices":nul}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := tokens.Decode(b)
		if err != nil {
			return
		}
		if _, err := p.Encode(); err != nil && len(b) < tokens.MaxPiece/8 { // an escape takes six bytes at most
			t.Fatalf("%s is not encoded: %v", b, err)
		}
	})
}

func TestAPieceThatIsTooLargeOrNoJSONIsNotEncoded(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]tokens.Piece{
		"too large":       {Text: strings.Repeat("x", tokens.MaxPiece)},
		"larger, encoded": {Text: strings.Repeat("\x00", tokens.MaxPiece/2)},
		"no JSON":         {Choices: json.RawMessage(`[`)},
	} {
		if b, err := p.Encode(); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

// take returns a joint that writes down what it takes.
func take(taken *[]int, kept func(context.Context, func(tokens.Piece)) error) *tokens.Joint {
	return &tokens.Joint{Take: func(p tokens.Piece) { *taken = append(*taken, p.ID.N) }, Kept: kept}
}

func nth(n int) tokens.Piece { return tokens.Piece{ID: tokens.ID{Attempt: 1, N: n}} }

func TestAJointFillsAGapFromWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []int
		asked, from := 0, time.Now()
		j := take(&taken, func(_ context.Context, piece func(tokens.Piece)) error {
			asked++
			for n := range 6 {
				if n < 3 || asked > 1 { // the rest is kept a moment later
					piece(nth(n))
				}
			}
			return nil
		})
		for _, n := range []int{0, 4, 2, 4, 5, 6} {
			j.Add(t.Context(), nth(n))
		}
		if want := []int{0, 1, 2, 3, 4, 5, 6}; !slices.Equal(taken, want) || asked != 2 || time.Since(from) > 10*time.Millisecond {
			t.Errorf("took %v after %v and %d questions", taken, time.Since(from), asked)
		}
	})
}

func TestAJointGivesUpWhatCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []int
		asked := 0
		j := take(&taken, func(context.Context, func(tokens.Piece)) error {
			asked++
			return errors.New("away")
		})
		for n := 1; n < 20; n += 2 {
			j.Add(t.Context(), nth(n))
		}
		if len(taken) != 10 || asked != 3 {
			t.Errorf("took %v after %d questions, want one round of three", taken, asked)
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // who ends does not wait
		from := time.Now()
		j.Add(ctx, nth(30))
		if asked != 4 || time.Since(from) != 0 || taken[len(taken)-1] != 30 {
			t.Errorf("took %v after %d questions and %v", taken, asked, time.Since(from))
		}
	})
}

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	kept := func(m *tokens.Memory, id string) (n int) {
		done, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.Follow(done, id, tokens.ID{}, nil, func(tokens.Piece) { n++ })
		return n
	}
	t.Run("what is old", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := tokens.NewMemory()
			m.Send("old", nth(0))
			time.Sleep(9 * time.Minute)
			m.Send("young", nth(0))
			time.Sleep(2 * time.Minute)
			m.Send("new", nth(0))
			if kept(m, "old") != 0 || kept(m, "young") != 1 || kept(m, "new") != 1 {
				t.Errorf("kept %d, %d, %d", kept(m, "old"), kept(m, "young"), kept(m, "new"))
			}
		})
	})
	t.Run("the first pieces of a message that has many", func(t *testing.T) {
		t.Parallel()
		m := tokens.NewMemory()
		for n := range 10_000 {
			m.Send("m", nth(n))
		}
		if n := kept(m, "m"); n != 4096 {
			t.Errorf("kept %d", n)
		}
	})
	t.Run("the oldest messages where all are large", func(t *testing.T) {
		t.Parallel()
		m, large := tokens.NewMemory(), nth(0)
		large.Text = strings.Repeat("x", tokens.MaxPiece)
		const messages = 2000 // of 64 KiB, where 64 MiB are kept
		for i := range messages {
			m.Send(strconv.Itoa(i), large)
		}
		total := 0
		for i := range messages {
			total += kept(m, strconv.Itoa(i))
		}
		if total < 1000 || total > 1024 || kept(m, "0") != 0 || kept(m, strconv.Itoa(messages-1)) != 1 {
			t.Errorf("kept %d of %d messages", total, messages)
		}
	})
}

func ExampleMemory() {
	relay := tokens.NewMemory()
	for n, text := range []string{"Hello", ", ", "world"} {
		relay.Send("m1", tokens.Piece{ID: tokens.ID{Attempt: 1, Token: 7, N: n}, Text: text})
	}
	ctx, cancel := context.WithCancel(context.Background())
	after := tokens.ID{Attempt: 1, Token: 7}
	_ = relay.Follow(ctx, "m1", after, nil, func(p tokens.Piece) {
		fmt.Printf("%s %q\n", p.ID, p.Text)
		if p.ID.N == 2 {
			cancel()
		}
	})
	// Output:
	// 1.7.1 ", "
	// 1.7.2 "world"
}
