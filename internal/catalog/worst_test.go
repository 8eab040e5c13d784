package catalog

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWorst(t *testing.T) {
	if os.Getenv("WORST") == "" {
		t.Skip()
	}
	cpu := func() time.Duration {
		var u syscall.Rusage
		syscall.Getrusage(0, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	rep := func(u string, n int) string { return strings.Repeat(u, n/len(u)) }
	const M = 1<<20 - 100
	numbered := func(n int, f string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, f, i)
		}
		return b.String()
	}
	for _, c := range []struct{ n, s string }{
		{"one block, 100 blanks at end", "a: |\n " + rep("b", 60000) + "\n" + rep(" b b b b b b b b b b b b b b b b b b b b\n", M-70000) + rep("\n", 100)},
		{"many blocks w 100 blanks", rep("- |\n b"+rep("\n", 100), M)},
		{"blocks of 60k w 100 blanks", rep("- |\n "+rep("b", 60000)+rep("\n", 100), M)},
		{"tabs", rep(`"`+rep(rep("b", 640)+"\t", 64000)+"\n", M)},
		{"tabs short", rep(`"`+rep("b\t", 200)+"\n", M)},
		{"angles", rep(rep("<", 100)+"a", 60000)},
		{"angles lines", rep(rep(rep("<", 100)+"a", 60000)+"\n", M)},
		{"10k keys maps", rep("- a: b\n"+rep("  a: b\n", 7*9990), M)},
		{"10k keys maps short", "a:\n" + rep(" -\n"+rep("  a: b\n", 7*9990), M)},
		{"nested 10k", numbered(60, "") + rep("a: b\n", 5*9990) + "x:\n" + rep(" a: b\n", 6*9990) + " x:\n" + rep("  a: b\n", 7*9990) + "  x:\n" + rep("   a: b\n", 8*9990) + "   x:\n" + rep("    a: b\n", 9*9990)},
		{"nulls", rep("a:\n", 3*990) + "b: [" + rep("1,\n", 98000*3) + "]"},
		{"nulls braces", "b: {" + rep("a,", 990*2) + rep("1: 2,\n", 49000*6) + "}"},
		{"paths", nestedKeys(20, 100) + rep(" ", 20) + "[" + rep("a,\n", 3*7000) + "]"},
		{"paths many", "models:\n k:\n  [" + rep("a,\n", 3*99000) + "]"},
		{"unknown keys braces", "{" + numbered(60000, "k%d: 1,\n") + "}"},
		{"unknown keys near", "{" + numbered(60000, "model%d: 1,\n") + "}"},
		{"models and refs", "models: {" + numbered(20000, "mmm%d: {targets: [{name: t}]},\n")[:600000] + "}"},
		{"merge chain", "x0: &a0 {" + numbered(20000, "k%d: 1,\n") + "}\n" + numbered(9000, "x%[1]d: &a%[1]d {<<: *a0}\n")},
		{"merge chain 2", "models: {y: &a0 {" + numbered(20000, "k%d: 1,\n") + "}," + chain(9000) + "}"},
		{"fallbacks", "models: {" + numbered(15000, "modelmodelmodelmodel%d: {},") + "}\n"},
		{"missing refs", "models:\n m:\n  targets: [{name: a, api: simulated}]\n  fallback: [" + numbered(60000, "nnnnnn%d,\n") + "]\n"},
		{"missing refs, many models", "models: {" + strings.ReplaceAll(numbered(20000, "model%d: {},\n"), "\n", "\n") + "m: {fallback: [" + numbered(30000, "nodel%d,\n") + "]}}\n"},
		{"comments", rep("#\n", M)},
		{"comments tail", rep("a: b\n#\n#\n#\n", 11*9990)},
		{"words", "a: " + rep("a ", 60000)},
		{"plain lines", "a: b\n" + rep(" a\n", M)},
		{"quoted lines", "a: \"\n" + rep(" a\n", M) + "\""},
		{"aliases", "a: &a b\nb: [" + rep("*a,\n", 4*60000) + "]"},
	} {
		if len(c.s) > 1<<20 {
			c.s = c.s[:1<<20]
		}
		runtime.GC()
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		t0, w0 := cpu(), time.Now()
		_, err := Parse("f", []byte(c.s))
		d, w := cpu()-t0, time.Since(w0)
		runtime.ReadMemStats(&m1)
		msg := fmt.Sprint(err)
		t.Logf("%6d ms cpu %6d ms wall %5d MB  %-30s %d bytes %d lines: %.100s", d.Milliseconds(), w.Milliseconds(), (m1.TotalAlloc-m0.TotalAlloc)>>20, c.n, len(c.s), strings.Count(msg, "\n")+1, msg)
	}
}

func chain(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "x%d: &a%d {<<: *a%d},\n", i, i, i-1)
	}
	return b.String()
}
