package files

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// Bounds of a page. OpenAI's default is all that a page may have; each file costs a question here.
const (
	defaultPage = 100
	maxPage     = 10_000
)

// page is a page of a list as OpenAI shapes it.
type page struct {
	Object  string   `json:"object"`
	Data    []Object `json:"data"`
	FirstID *string  `json:"first_id"`
	LastID  *string  `json:"last_id"`
	HasMore bool     `json:"has_more"`
}

// query is which files are asked for.
type query struct {
	limit     int
	after     string // the id of the last one of the page before
	purpose   string // "": any
	ascending bool   // oldest first
}

func parseQuery(v url.Values) (query, *problem.Problem) {
	q := query{limit: defaultPage, after: v.Get("after"), purpose: v.Get("purpose")}
	if given := v.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > maxPage {
			return q, problem.New(problem.Malformed, "The query parameter limit must be from 1 to 10000.")
		}
		q.limit = n
	}
	switch v.Get("order") {
	case "", "desc":
	case "asc":
		q.ascending = true
	default:
		return q, problem.New(problem.Malformed, "The query parameter order must be asc or desc.")
	}
	return q, nil
}

// list answers GET /v1/files: the key's own files that are there, newest first. It costs a listing of the store, and a question
// for each file of the page; with a purpose, for each file until the page is full.
func (f *Files) list(x *ingest.Exchange, r *http.Request) *problem.Problem {
	lister, ok := f.cfg.Objects.(objects.Lister)
	if !ok {
		return problem.New(problem.NotFound, "Files cannot be listed here.")
	}
	q, p := parseQuery(r.URL.Query())
	if p != nil {
		return p
	}
	all, err := lister.List(r.Context(), attachments.FilesPrefix(x.Tenant.Name))
	if err != nil {
		return f.unread("list", err)
	}
	found, err := f.fill(r.Context(), x.Tenant.Name, q.rest(x.Tenant.Name, all), q)
	if err != nil {
		return f.unread("list", err)
	}
	out := page{Object: "list", Data: found[:min(len(found), q.limit)], HasMore: len(found) > q.limit}
	if n := len(out.Data); n > 0 {
		out.FirstID, out.LastID = &out.Data[0].ID, &out.Data[n-1].ID
	}
	return answer(x, out)
}

// rest returns the objects in the order that is asked for, without those of the pages before. After a file that is gone the list
// ends: where it stood nobody knows.
func (q query) rest(tenant string, all []objects.Info) []objects.Info {
	slices.SortFunc(all, func(a, b objects.Info) int {
		order := cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Key, a.Key))
		if q.ascending {
			return -order
		}
		return order
	})
	if q.after == "" {
		return all
	}
	i := slices.IndexFunc(all, func(info objects.Info) bool { return info.Key == attachments.FileKey(tenant, q.after) })
	if i < 0 {
		return nil
	}
	return all[i+1:]
}

// statsAtOnce bounds how many files are asked about at once.
const statsAtOnce = 16

// fill returns the files of a page, and one more if there is one.
func (f *Files) fill(ctx context.Context, tenant string, all []objects.Info, q query) ([]Object, error) {
	found := []Object{}
	for chunk := range slices.Chunk(all, statsAtOnce) {
		some := make([]*attachments.File, len(chunk))
		group, ctx := errgroup.WithContext(ctx)
		for i, info := range chunk {
			group.Go(func() error {
				id := info.Key[len(attachments.FilesPrefix(tenant)):]
				file, err := attachments.StatFile(ctx, f.cfg.Objects, tenant, id)
				if errors.Is(err, objects.ErrNotFound) {
					return nil // it expired, or was deleted meanwhile
				}
				some[i] = &file
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		for _, file := range some {
			if file != nil && (q.purpose == "" || q.purpose == file.Purpose) {
				found = append(found, objectOf(*file, StatusProcessed))
			}
		}
		if len(found) > q.limit {
			break
		}
	}
	return found, nil
}
