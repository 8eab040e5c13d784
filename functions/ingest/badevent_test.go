package ingest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// faults returns what a problem names: a pointer, or a header.
func (a answer) faults(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, e := range a.problem(t).Errors {
		place := e.Pointer
		if e.Header != "" {
			place = e.Header
			if e.Pointer != "" {
				t.Errorf("%+v is in two places", e)
			}
		}
		if e.Detail == "" {
			t.Errorf("%s: no detail", place)
		}
		all = append(all, place)
	}
	return all
}

func TestBadEventsInStructuredMode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	data := `"data":` + good
	for _, c := range []struct {
		name, body string
		status     int
		pointers   []string
	}{
		{"no JSON", `{"specversion":"1.0"`, 400, nil},
		{"no object", `[]`, 422, []string{""}},
		{"an attribute given twice", envelope(data, `"one":"a","one":"b"`), 400, []string{"/one"}},
		{"a field of the data given twice", envelope(`"data":{"model_id":"a","model_id":"b"}`), 400, []string{"/data/model_id"}},
		{"another specversion", envelope(data, `"specversion":"0.3"`), 422, []string{"/specversion"}},
		{"a number as the specversion", envelope(data, `"specversion":1.0`), 422, []string{"/specversion"}},
		{"another type", envelope(data, `"type":"dev.baton.inference.completed.v1"`), 422, []string{"/type"}},
		{"no id and no source", envelope(data, `"id":"","source":null`), 422, []string{"/id", "/source"}},
		{"a number as the id", envelope(data, `"id":7`), 422, []string{"/id"}},
		{"another content type", envelope(`"datacontenttype":"text/plain"`, data), 422, []string{"/datacontenttype"}},
		{"text", envelope(`"datacontenttype":"text/plain","data":"x"`), 422, []string{"/data", "/datacontenttype"}},
		{"a time that is none", envelope(data, `"time":"yesterday"`), 422, []string{"/time"}},
		{"a time that is a number", envelope(data, `"time":1767225600`), 422, []string{"/time"}},
		{"a source that is no URI", envelope(data, `"source":"%"`), 422, []string{"/source"}},
		{"a control character in the id", envelope(data, `"id":"a\u0000b"`), 422, []string{"/id"}},
		{"an object as the traceparent", envelope(data, `"traceparent":{}`), 422, []string{"/traceparent"}},
		{"an extension beyond any float", envelope(data, `"one":1e999`), 422, []string{"/one"}},
		{"a dataschema that is no URI", envelope(data, `"dataschema":"inference"`), 422, []string{"/dataschema"}},
		{"an unknown priority", envelope(data, `"priority":"urgent"`), 422, []string{"/priority"}},
		{"an expirytime that is none", envelope(data, `"expirytime":"soon"`), 422, []string{"/expirytime"}},
		{"an expirytime that has passed", envelope(data, `"expirytime":"2020-01-01T00:00:00Z"`), 422, []string{"/expirytime"}},
		{"attributes of the chain", envelope(data, `"tenant":"other","attempt":3,"deadreason":"x","hops":1`), 422, []string{"/attempt", "/deadreason", "/hops", "/tenant"}},
		{"an object as an extension", envelope(data, `"one":{"a":1}`), 422, []string{"/one"}},
		{"a fraction as an extension", envelope(data, `"one":1.5`), 422, []string{"/one"}},
		{"a number over 32 bits", envelope(data, `"one":2147483648`), 422, []string{"/one"}},
		{"an extension with an upper-case name", envelope(data, `"One":"x"`), 422, []string{"/One"}},
		{"an extension without a name", envelope(data, `"":"x"`), 422, []string{"/"}},
		{"an extension with a long name", envelope(data, `"abcdefghijklmnopqrstu":"x"`), 422, []string{"/abcdefghijklmnopqrstu"}},
		{"an extension with a line break", envelope(data, `"one":"a\nb"`), 422, []string{"/one"}},
		{"an extension of 5 KiB", envelope(data, `"one":"`+strings.Repeat("x", 5<<10)+`"`), 422, []string{"/one"}},
		{"17 extensions", envelope(data, pairs(17)), 422, []string{"/kq"}},
		{"no data", envelope(), 422, []string{"/data"}},
		{"no data and a bad time", envelope(`"time":"x"`), 422, []string{"/data", "/time"}},
		{"null as the data", envelope(`"data":null`), 422, []string{"/data"}},
		{"a string as the data", envelope(`"data":"x"`), 422, []string{"/data"}},
		{"faults in the data", envelope(`"data":{"model_id":7,"promt":"x"}`), 422, []string{"/data/model_id", "/data/prompt", "/data/promt"}},
		{"data twice", envelope(data, `"data_base64":"e30="`), 422, []string{"/data_base64"}},
		{"data_base64 that is a number", envelope(`"data_base64":1`), 422, []string{"/data_base64"}},
		{"data_base64 that is not base64", envelope(`"data_base64":"!!!"`), 422, []string{"/data_base64"}},
		{"null as data_base64", envelope(`"data_base64":null`), 422, []string{"/data_base64"}},
		{"data_base64 and more", envelope(`"data_base64":"!!!"`, `"time":"x"`, `"id":""`), 422, []string{"/data_base64", "/id", "/time"}},
		{"data_base64 that is not JSON", envelope(`"data_base64":"AAAA"`), 400, nil},
		{
			"attributes and data at once", envelope(`"time":"x","dataschema":"y","data":{"model_id":4,"prompt":"x"}`), 422,
			[]string{"/data/model_id", "/dataschema", "/time"},
		},
		{
			"nothing but faults",
			`{"specversion":1,"id":"","type":"x","time":1,"subject":2,"dataschema":"%","datacontenttype":"x","priority":1,` +
				`"expirytime":"x","Big":"x","tenant":"x","data":{"model_id":4}}`, 422,
			[]string{
				"/Big", "/data/model_id", "/data/prompt", "/datacontenttype", "/dataschema", "/expirytime", "/id", "/priority", "/source",
				"/specversion", "/subject", "/tenant", "/time", "/type",
			},
		},
		{"a bad time beside data_base64 that is not JSON", envelope(`"data_base64":"AAAA"`, `"time":"x"`), 400, []string{"/time"}},
		{"faults in data_base64", envelope(`"data_base64":"e30="`), 422, []string{"/data_base64/model_id", "/data_base64/prompt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := f.do(t, http.MethodPost, "/v1/events", c.body, "Content-Type", "application/cloudevents+json")
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a)
			}
			if got := a.faults(t); !slices.Equal(got, c.pointers) {
				t.Errorf("pointers %q, want %q: %s", got, c.pointers, a)
			}
		})
	}
}

func TestBadEventsInBinaryMode(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		name   string
		body   string
		with   []string // replaces, or with "" removes, headers
		status int
		faults []string
	}{
		{"no specversion", good, []string{"Ce-Specversion", ""}, 422, []string{"ce-specversion"}},
		{"another specversion", good, []string{"Ce-Specversion", "0.3"}, 422, []string{"ce-specversion"}},
		{"no id", good, []string{"Ce-Id", ""}, 422, []string{"ce-id"}},
		{"a blank id", good, []string{"Ce-Id", " "}, 422, []string{"ce-id"}},
		{"no source", good, []string{"Ce-Source", ""}, 422, []string{"ce-source"}},
		{"a source that is no URI", good, []string{"Ce-Source", "https://[::1"}, 422, []string{"ce-source"}},
		{"another type", good, []string{"Ce-Type", "com.example.other"}, 422, []string{"ce-type"}},
		{"no attribute at all", good, []string{"Ce-Specversion", "", "Ce-Id", "", "Ce-Source", "", "Ce-Type", ""}, 422, []string{"ce-id", "ce-source", "ce-specversion", "ce-type"}},
		{"a time that is none", good, []string{"Ce-Time", "now"}, 422, []string{"ce-time"}},
		{"a dataschema that is no URI", good, []string{"Ce-Dataschema", "%zz"}, 422, []string{"ce-dataschema"}},
		{"a dataschema that is not absolute", good, []string{"Ce-Dataschema", "/schemas/x"}, 422, []string{"ce-dataschema"}},
		{"the content type as an attribute", good, []string{"Ce-Datacontenttype", "application/json"}, 422, []string{"ce-datacontenttype"}},
		{"an unknown priority", good, []string{"Ce-Priority", "urgent"}, 422, []string{"ce-priority"}},
		{"an expirytime that is none", good, []string{"Ce-Expirytime", "soon"}, 422, []string{"ce-expirytime"}},
		{"an expirytime that has passed", good, []string{"Ce-Expirytime", "2020-01-01T00:00:00Z"}, 422, []string{"ce-expirytime"}},
		{"the first of all times", good, []string{"Ce-Expirytime", "0001-01-01T00:00:00Z"}, 422, []string{"ce-expirytime"}},
		{"an attribute of the chain", good, []string{"Ce-Tenant", "other"}, 422, []string{"ce-tenant"}},
		{"an attribute with a hyphen", good, []string{"Ce-My-Own", "x"}, 422, []string{"ce-my-own"}},
		{"an attribute without a name", good, []string{"Ce-", "x"}, 422, []string{"ce-"}},
		{"the data as an attribute", good, []string{"Ce-Data", "x"}, 422, []string{"ce-data"}},
		{"an attribute given twice", good, []string{"Ce-One", "a", "Ce-One", "b"}, 422, []string{"ce-one"}},
		{"a control character", good, []string{"Ce-One", "a%0Ab"}, 422, []string{"ce-one"}},
		{"faults in the data", `{"model_id":"small","prompt":7}`, nil, 422, []string{"/prompt"}},
		{
			"everything at once", `{"model_id":4,"prompt":"x"}`,
			[]string{"Ce-Time", "x", "Ce-Dataschema", "x", "Ce-Source", "%", "Ce-My-Own", "x", "Ce-Id", "a", "Ce-Id", "b", "Ce-Priority", "7"},
			422,
			[]string{"ce-dataschema", "ce-id", "ce-my-own", "ce-priority", "ce-source", "ce-time", "/model_id"},
		},
		{"a bad attribute beside data that is no JSON", `{"model_id":`, []string{"Ce-Time", "x"}, 400, []string{"/model_id", "ce-time"}},
		{"a bad attribute beside no data", ``, []string{"Ce-Time", "x"}, 400, []string{"ce-time"}},
		{"a batch that is one event", good, []string{"Content-Type", "application/cloudevents-batch+json"}, 422, []string{""}},
		{"another event format", good, []string{"Content-Type", "application/cloudevents+xml"}, 415, nil},
		{"another content type", good, []string{"Content-Type", "text/plain"}, 415, nil},
		{"no content type", good, []string{"Content-Type", ""}, 415, nil},
		{"two content types", good, []string{"Content-Type", "application/json", "Content-Type", "application/cloudevents+json"}, 400, nil},
		{"gzip", good, []string{"Content-Encoding", "gzip"}, 415, nil},
		{"no key", good, []string{"Authorization", ""}, 401, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := []string{"Content-Type", "application/json"}
			if slices.Contains(c.with, "Content-Type") {
				header = nil
			}
			for h := range slices.Chunk(binaryHeaders(), 2) {
				if !slices.Contains(c.with, h[0]) {
					header = append(header, h...)
				}
			}
			a := f.do(t, http.MethodPost, "/v1/events", c.body, append(header, c.with...)...)
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a)
			}
			if got := a.faults(t); !slices.Equal(got, c.faults) {
				t.Errorf("faults %q, want %q: %s", got, c.faults, a)
			}
		})
	}
}

func TestABadEventIsNotToldTheDecodersWords(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, body := range []string{
		envelope(`"data":`+good, `"time":"HUSH"`),
		envelope(`"data":`+good, `"dataschema":"HUSH"`, `"one":1.5`, `"two":{"HUSH":1}`),
		envelope(`"data_base64":"HUSH!!!"`),
		envelope(`"data":{"prompt":"HUSH"}`, `"datacontenttype":"text/plain"`),
		envelope(`"data":"HUSH"`, `"source":"https://[HUSH"`),
	} {
		a := f.do(t, http.MethodPost, "/v1/events", body, "Content-Type", "application/cloudevents+json")
		if a.status != 422 || len(a.faults(t)) == 0 {
			t.Errorf("answered %s", a)
		}
		for _, inside := range []string{"HUSH", "parsing", "illegal", "unexpected", "readObject", "error found"} {
			if strings.Contains(string(a.body), inside) {
				t.Errorf("the answer says %s: %s", inside, a)
			}
		}
	}
}
