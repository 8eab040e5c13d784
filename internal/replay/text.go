package replay

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteText writes the report for a person to read.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %v, replayed with seed %d.\n\n",
		counted(r.Recorded.Requests, "request"), r.To.Sub(r.From).Round(time.Millisecond), r.Seed)
	r.figures().write(&b)
	b.WriteString("\n")
	r.targets().write(&b)
	for i, note := range r.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "Note: %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// figures is the table of what concerns all requests.
func (r *Report) figures() *table {
	a, b := &r.Recorded, &r.Replayed
	t := &table{}
	t.row("", "recorded", "replayed", "change")
	t.counts("requests", a.Requests, b.Requests)
	t.counts("completed", a.Completed, b.Completed)
	if a.Cached+b.Cached > 0 {
		t.counts("  from the cache", a.Cached, b.Cached)
	}
	t.counts("failed", a.Failed, b.Failed)
	codes := map[string]bool{}
	for _, by := range []map[string]int{a.FailedByCode, b.FailedByCode} {
		for code := range by {
			codes[code] = true
		}
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		t.counts("  "+code, a.FailedByCode[code], b.FailedByCode[code])
	}
	if a.Unfinished+b.Unfinished > 0 {
		t.counts("unfinished", a.Unfinished, b.Unfinished)
	}
	for _, l := range []struct {
		name     string
		was, now float64
	}{
		{"latency P50", a.Latency.P50, b.Latency.P50},
		{"latency P90", a.Latency.P90, b.Latency.P90},
		{"latency P99", a.Latency.P99, b.Latency.P99},
		{"latency max", a.Latency.Max, b.Latency.Max},
	} {
		t.row(l.name, spell(l.was), spell(l.now), relative(l.was, l.now))
	}
	t.row("waiting", percent(a.QueueShare), percent(b.QueueShare), "")
	t.row("attempts a request", fmt.Sprintf("%.3f", a.AttemptsPerRequest), fmt.Sprintf("%.3f", b.AttemptsPerRequest),
		relative(a.AttemptsPerRequest, b.AttemptsPerRequest))
	t.row("cost", a.Cost.String(), b.Cost.String(), relative(float64(a.Cost), float64(b.Cost)))
	return t
}

// targets is the table of each target, what was recorded above what was replayed.
func (r *Report) targets() *table {
	by := map[string][2]*TargetFigures{}
	for i, side := range []*Side{&r.Recorded, &r.Replayed} {
		for j := range side.Targets {
			pair := by[side.Targets[j].Target]
			pair[i] = &side.Targets[j]
			by[side.Targets[j].Target] = pair
		}
	}
	t := &table{}
	t.row("target", "", "attempts", "share", "errors", "mean call", "shadows", "cost")
	for _, name := range slices.Sorted(maps.Keys(by)) {
		for i, label := range []string{"recorded", "replayed"} {
			f := by[name][i]
			if f == nil {
				f = &TargetFigures{}
			}
			title, cost := "", f.Cost.String()
			if i == 0 {
				title = name
			}
			if f.Unpriced {
				cost = "?"
			}
			errors, mean := percent(f.ErrorRate), spell(f.MeanMS)
			if f.Attempts == 0 {
				errors, mean = "-", "-"
			}
			t.row(title, label, thousands(f.Attempts), percent(f.Share), errors, mean, thousands(f.Shadows), cost)
		}
	}
	return t
}

// table is rows of cells: the first column to the left, the others to the right.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// counts adds a row of two numbers and their difference.
func (t *table) counts(name string, was, now int) {
	change := ""
	if now != was {
		change = thousands(now - was)
	}
	if now > was {
		change = "+" + change
	}
	t.row(name, thousands(was), thousands(now), change)
}

func (t *table) write(b *strings.Builder) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-len(cell))
			if i == 0 {
				line.WriteString(cell + space)
			} else {
				line.WriteString("  " + space + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// counted returns a number with its noun: 1 request, 2,000 requests.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

// thousands returns the number with a comma before each three digits.
func thousands(n int) string {
	digits, sign := strconv.Itoa(n), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// spell returns milliseconds with three digits that say something.
func spell(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// relative returns the change in percent, or as a multiple, where there is one to speak of.
func relative(was, now float64) string {
	if was == 0 {
		return ""
	}
	if now >= 10*was {
		return fmt.Sprintf("x %.0f", now/was)
	}
	change := fmt.Sprintf("%+.1f %%", 100*(now-was)/was)
	if change == "+0.0 %" || change == "-0.0 %" {
		return ""
	}
	return change
}
