package batches

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// retrieve answers GET /v1/batches/{id}.
func (s *Server) retrieve(x *ingest.Exchange, r *http.Request) *problem.Problem {
	rec, p := s.find(r.Context(), x, r.PathValue("id"))
	if p != nil {
		return p
	}
	return answer(x, rec.Batch)
}

// cancel answers POST /v1/batches/{id}/cancel. What has begun goes on, and is among the answers.
func (s *Server) cancel(x *ingest.Exchange, r *http.Request) *problem.Problem {
	rec, p := s.find(r.Context(), x, r.PathValue("id"))
	if p != nil {
		return p
	}
	if rec.Batch.Status.over() {
		return problem.New(problem.Conflict, "Cannot cancel a batch with status '"+string(rec.Batch.Status)+"'.")
	}
	if err := s.put(r.Context(), rec, cancelKey(rec.Tenant, rec.Batch.ID), []byte("{}")); err != nil {
		return s.unavailable(err)
	}
	rec.Batch.Status, rec.Batch.CancellingAt = Cancelling, at(s.now())
	return answer(x, rec.Batch)
}

// list answers GET /v1/batches?limit=N&after=ID: the tenant's own, newest first.
func (s *Server) list(x *ingest.Exchange, r *http.Request) *problem.Problem {
	limit := 20
	if given := r.URL.Query().Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 100 {
			return problem.New(problem.Malformed, "The query parameter limit must be a whole number from 1 to 100.")
		}
		limit = n
	}
	all, err := s.listed(r.Context(), x.Tenant.Name)
	if err != nil {
		return s.unavailable(err)
	}
	if after := r.URL.Query().Get("after"); after != "" {
		i := slices.IndexFunc(all, func(b Batch) bool { return b.ID == after })
		if i < 0 {
			return problem.New(problem.NotFound, "There is no such batch to begin after.")
		}
		all = all[i+1:]
	}
	page := all[:min(limit, len(all))]
	out := struct {
		Object  string  `json:"object"`
		Data    []Batch `json:"data"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
		HasMore bool    `json:"has_more"`
	}{Object: "list", Data: page, HasMore: len(page) < len(all)}
	if len(page) > 0 {
		out.FirstID, out.LastID = &page[0].ID, &page[len(page)-1].ID
	}
	return answer(x, out)
}

// listed returns the tenant's batches, newest first. It reads each: a tenant has few, and seldom asks.
func (s *Server) listed(ctx context.Context, tenant string) ([]Batch, error) {
	all := []Batch{}
	lister, ok := s.cfg.Objects.(objects.Lister)
	if !ok {
		return all, nil
	}
	infos, err := lister.List(ctx, prefix+tenant+"/")
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		id, ok := strings.CutSuffix(strings.TrimPrefix(info.Key, prefix+tenant+"/"), "/batch")
		if !ok || strings.Contains(id, "/") {
			continue
		}
		r, err := s.read(ctx, tenant, id)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if lost(err) { // it must not hide the others
			s.cfg.Log.ErrorContext(ctx, "a batch cannot be read", "tenant", tenant, "batch", id, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s.shown(ctx, r))
	}
	slices.SortFunc(all, func(a, b Batch) int {
		if a.CreatedAt != b.CreatedAt {
			return int(b.CreatedAt - a.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}

// find returns the tenant's own batch.
func (s *Server) find(ctx context.Context, x *ingest.Exchange, id string) (*record, *problem.Problem) {
	r, err := s.read(ctx, x.Tenant.Name, id)
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return nil, problem.New(problem.NotFound, "There is no such batch, or it is no longer kept.")
	case errors.Is(err, errSpoiled): // it does not mend by being asked for again
		s.cfg.Log.ErrorContext(ctx, "a batch cannot be read", "tenant", x.Tenant.Name, "batch", id, "error", err)
		return nil, problem.New(problem.Internal, "What is kept of the batch cannot be read.")
	case err != nil:
		return nil, s.unavailable(err)
	}
	r.Batch = s.shown(ctx, r)
	return r, nil
}
