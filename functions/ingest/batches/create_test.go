package batches_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/batches"
)

func TestWhatIsNoBatchIsRefusedWithAllThatIsWrong(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		file, others := w.upload(requests(1)), w.upload(requests(1), "Authorization", "Bearer "+otherKey)
		with := func(name string, value any) string {
			body := map[string]any{"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
			if body[name] = value; value == nil {
				delete(body, name)
			}
			b, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		pairs := map[string]string{}
		for i := range 17 {
			pairs[strconv.Itoa(i)] = ""
		}
		for name, tc := range map[string]struct {
			body   string
			status int
			says   []string
		}{
			"nothing":               {"", 400, []string{"JSON"}},
			"no JSON":               {"{", 400, []string{"JSON"}},
			"no object":             {"[]", 400, []string{"JSON"}},
			"more than one":         {with("", "") + "{}", 400, []string{"JSON"}},
			"other types":           {with("endpoint", 5), 400, []string{"JSON"}},
			"metadata of others":    {with("metadata", map[string]any{"a": 1}), 400, []string{"JSON"}},
			"an empty object":       {"{}", 400, []string{"endpoint", "completion_window", "input_file_id"}},
			"no file":               {with("input_file_id", nil), 400, []string{"input_file_id"}},
			"a file that is none":   {with("input_file_id", "file-nobody"), 400, []string{"input_file_id"}},
			"a path":                {with("input_file_id", "file-../other/"+others), 400, []string{"input_file_id"}},
			"a file of another":     {with("input_file_id", others), 400, []string{"input_file_id"}},
			"an endpoint of others": {with("endpoint", "/v1/inferences"), 400, []string{"endpoint", "/v1/embeddings"}},
			"another window":        {with("completion_window", "1h"), 400, []string{"completion_window", "24h"}},
			"many pairs":            {with("metadata", pairs), 400, []string{"metadata"}},
			"a long name":           {with("metadata", map[string]string{strings.Repeat("a", 65): ""}), 400, []string{"metadata"}},
			"a long value":          {with("metadata", map[string]string{"a": strings.Repeat("é", 513)}), 400, []string{"metadata"}},
			"too much":              {with("metadata", map[string]string{"a": strings.Repeat("x", 64<<10)}), 413, []string{"limit"}},
		} {
			status, answer := w.call(http.MethodPost, "/v1/batches", tc.body, nil)
			var e struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Error.Message == "" || e.Error.Type == "" || status != tc.status {
				t.Errorf("%s: %d %s, want %d", name, status, answer, tc.status)
			}
			for _, says := range tc.says {
				if !strings.Contains(answer, says) {
					t.Errorf("%s: it does not say %q: %s", name, says, answer)
				}
			}
		}
		if len(w.take()) != 0 {
			t.Error("a step was begun")
		}
	})
}

func TestMetadataIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		metadata := map[string]string{}
		for i := range 16 { // each as large as it may be, and larger as JSON
			metadata[fmt.Sprintf("%064d", i)] = strings.Repeat("<", 512)
		}
		body, err := json.Marshal(map[string]any{
			"input_file_id": w.upload(requests(1)), "endpoint": "/v1/chat/completions", "completion_window": "24h", "metadata": metadata,
		})
		if err != nil {
			t.Fatal(err)
		}
		var b batches.Batch
		if status, answer := w.call(http.MethodPost, "/v1/batches", string(body), &b); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		if b = w.finish(b.ID, time.Hour); b.Status != batches.Completed || len(b.Metadata) != 16 || b.Metadata[fmt.Sprintf("%064d", 3)] != strings.Repeat("<", 512) {
			t.Errorf("it came to %+v", b)
		}
	})
}

// fault is what is wrong with a line, 0 for the file.
type fault struct {
	line int
	code string
}

func TestAllThatIsWrongWithAFileIsSaidByLine(t *testing.T) {
	t.Parallel()
	good := requests(1)
	field := func(old, other string) string { return strings.Replace(request("other", "x"), old, other, 1) }
	for name, tc := range map[string]struct {
		file string
		want []fault
	}{
		"empty":       {"", []fault{{0, "empty_file"}}},
		"blank lines": {"\n \n\r\n", []fault{{0, "empty_file"}}},
		"each kind of fault, with good lines and blank ones between": {
			good + "{\n\n" + good + field(`"other"`, `""`) + field(`"other"`, `"`+strings.Repeat("i", 513)+`"`) + field("POST", "post") +
				field("/v1/chat/completions", "/v1/embeddings") + `{"custom_id":"no body","method":"POST","url":"/v1/chat/completions"}` + "\n" +
				`{"custom_id":"a body","method":"POST","url":"/v1/chat/completions","body":[]}` + "\n" + field(`"other"`, "5") + "[]\nnull\n" +
				request("good", "x") + "\xff",
			[]fault{
				{2, "invalid_json_line"},
				{4, "duplicate_custom_id"},
				{5, "missing_required_parameter"},
				{6, "invalid_custom_id"},
				{7, "invalid_method"},
				{8, "duplicate_custom_id"},
				{9, "invalid_request"},
				{10, "invalid_request"},
				{11, "invalid_request"},
				{12, "invalid_request"},
				{13, "missing_required_parameter"},
				{15, "invalid_json_line"},
			},
		},
		"another endpoint": {field("/v1/chat/completions", "/v1/embeddings"), []fault{{1, "mismatched_endpoint"}}},
		"a huge line, and faults on both sides of it": {
			"{\n" + request("huge", strings.Repeat("x", 4<<20)) + good + "[\n", []fault{{1, "invalid_json_line"}, {2, "line_too_long"}, {4, "invalid_json_line"}},
		},
		"a huge line at the end":       {good + strings.Repeat("x", 5<<20), []fault{{2, "line_too_long"}}},
		"a fault after written chunks": {requests(900) + "{", []fault{{901, "invalid_json_line"}}},
		"more lines than may be":       {strings.Repeat("{}\n", 50_001), append(repeated(99, "missing_required_parameter"), fault{0, "too_many_requests"})},
		"more faults than are told":    {strings.Repeat("{}\n", 101), repeated(100, "missing_required_parameter")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				b := w.finish(w.create(tc.file).ID, time.Hour)
				if b.Status != batches.Failed || b.FailedAt == nil || b.Errors == nil || b.OutputFileID != nil || b.ErrorFileID != nil {
					t.Fatalf("it came to %+v", b)
				}
				var got []fault
				for _, e := range b.Errors.Data {
					f := fault{code: e.Code}
					if e.Line != nil {
						f.line = *e.Line
					}
					if e.Message == "" {
						t.Errorf("line %d: no message", f.line)
					}
					got = append(got, f)
				}
				if !slices.Equal(got, tc.want) {
					t.Errorf("said\n %v, want\n %v", got, tc.want)
				}
				if calls, _ := w.calls(); calls != 0 || w.kept(b) != 0 {
					t.Errorf("%d calls, %d objects left", calls, w.kept(b))
				}
			})
		})
	}
}

func repeated(n int, code string) (all []fault) {
	for i := range n {
		all = append(all, fault{i + 1, code})
	}
	return all
}

func TestAFileThatIsGoneFailsItsBatch(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(1))
		if status, answer := w.call(http.MethodDelete, "/v1/files/"+b.InputFileID, "", nil); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		if b = w.finish(b.ID, time.Hour); b.Status != batches.Failed || b.Errors.Data[0].Code != "file_not_found" {
			t.Errorf("it came to %+v", b)
		}
	})
}

func TestABatchIsItsTenantsAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		b := w.create(requests(1))
		for path, method := range map[string]string{
			"/v1/batches/" + b.ID: http.MethodGet, "/v1/batches/" + b.ID + "/cancel": http.MethodPost, "/v1/batches?after=" + b.ID: http.MethodGet,
		} {
			if status, answer := w.call(method, path, "", nil, "Authorization", "Bearer "+otherKey); status != http.StatusNotFound {
				t.Errorf("%s %s: %d %s", method, path, status, answer)
			}
			if status, _ := w.call(method, path, "", nil, "Authorization", "Bearer nobody"); status != http.StatusUnauthorized {
				t.Errorf("%s %s by nobody: %d", method, path, status)
			}
		}
		for _, id := range []string{"batch_", "batch_0", "nobody", "batch_..%2f..%2fother", strings.ToUpper(b.ID), "batch_" + strings.Repeat("0", 900)} {
			if status, answer := w.call(http.MethodGet, "/v1/batches/"+id, "", nil); status != http.StatusNotFound {
				t.Errorf("%s: %d %s", id, status, answer)
			}
		}
		var list struct{ Data []batches.Batch }
		if status, _ := w.call(http.MethodGet, "/v1/batches", "", &list, "Authorization", "Bearer "+otherKey); status != http.StatusOK || len(list.Data) != 0 {
			t.Errorf("another tenant's list: %d %+v", status, list)
		}
		if b = w.finish(b.ID, time.Hour); b.Status != batches.Completed {
			t.Errorf("it came to %+v", b)
		}
	})
}

func TestBatchesAreListedNewestFirstInPages(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		var want []string
		for range 25 {
			want = append([]string{w.create(requests(1)).ID}, want...)
			sleep(time.Second)
		}
		if status, _ := w.call(http.MethodPost, "/v1/batches/"+want[0]+"/cancel", "", nil); status != http.StatusOK {
			t.Fatal(status)
		}
		type page struct {
			Object  string
			Data    []batches.Batch
			FirstID *string `json:"first_id"`
			LastID  *string `json:"last_id"`
			HasMore bool    `json:"has_more"`
		}
		for query, ids := range map[string][]string{
			"": want[:20], "?limit=3": want[:3], "?limit=100": want, "?after=" + want[19]: want[20:], "?limit=2&after=" + want[4]: want[5:7],
			"?limit=5&after=" + want[19]: want[20:], "?after=" + want[24]: {},
		} {
			var p page
			status, answer := w.call(http.MethodGet, "/v1/batches"+query, "", &p)
			var got []string
			for _, b := range p.Data {
				got = append(got, b.ID)
			}
			more := len(ids) > 0 && ids[len(ids)-1] != want[24]
			if status != http.StatusOK || p.Object != "list" || !slices.Equal(got, ids) || p.HasMore != more || strings.Contains(answer, `"data":null`) {
				t.Errorf("%s: %d %v, more %t, want %v, more %t", query, status, got, p.HasMore, ids, more)
			}
			if len(ids) > 0 && (*p.FirstID != ids[0] || *p.LastID != ids[len(ids)-1]) {
				t.Errorf("%s: from %s to %s", query, *p.FirstID, *p.LastID)
			}
			if len(got) > 0 && got[0] == want[0] && p.Data[0].Status != batches.Cancelling {
				t.Errorf("%s: one that is to be canceled is %s", query, p.Data[0].Status)
			}
		}
		for query, status := range map[string]int{"?limit=0": 400, "?limit=101": 400, "?limit=x": 400, "?after=nobody": 404} {
			if got, answer := w.call(http.MethodGet, "/v1/batches"+query, "", nil); got != status {
				t.Errorf("%s: %d %s", query, got, answer)
			}
		}
	})
}
