// Package batches takes in batches of requests, as OpenAI's API has them: a file of lines, each a request, that is worked off
// at low priority within a day, and whose answers come in a file.
//
// A batch is worked off in steps, by a function of its own ([Server.Step]): each takes an event, does a bounded piece of work,
// and emits the event of the next step, at once or for later. What there is to know stands in the object store, so that a step
// can be made by any process, and made again:
//
//	batches/<tenant>/<id>/batch     the batch as its caller sees it, and how far it is
//	batches/<tenant>/<id>/cancel    is there if it is to be canceled
//	batches/<tenant>/open/<id>      is there while it is not over
//	batches/<tenant>/<id>/in/<k>    its lines in chunks, from the first step on
//	batches/<tenant>/<id>/out/<k>   the answers to a chunk that are answers, and
//	batches/<tenant>/<id>/err/<k>   those that are errors
//
// The steps, and what a crash in each means:
//
//	(1) split    checks the file, and writes it in chunks. Repeated, it writes the same again.
//	(2) submit   hands the next chunk in, a line at a time, through the door that all requests come by, at the tenant's rate;
//	             each line has a request_id made of batch and line, so one that was handed in before is known. A line that
//	             cannot be taken at the moment is where the next step goes on. Some chunks are under way at once.
//	(3) collect  when all of the oldest chunk has ended, writes its answers. Repeated, it writes the same.
//	(4) finish   puts the answers together in files of the tenant's, whose ids are made of the batch's, and says so in the
//	             batch. Then it removes the rest. A crash before leaves it to be repeated, one after leaves chunks to expire.
//
// A step writes how far the batch is before it emits the next; a step that is repeated because the second was cut finds that
// it was done, and goes on from there. The object store cannot compare before it writes, so a step looks once more whether
// it was made by another meanwhile, which a transport that hands an event out twice can bring about.
//
// Of a batch that is canceled, or whose window is over, every line is told of: those that were not handed in by then are
// errors that say so. What will not mend ends it: a batch of which a part is lost fails, a line that this side breaks at each
// time is an error like any other, and a batch that is not over an hour after its window, since nobody works it off, is told to
// have expired.
package batches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"baton.dev/baton/internal/objects"
)

// Batch is a batch as OpenAI's API shows it.
type Batch struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Endpoint         string            `json:"endpoint"`
	Errors           *FileErrors       `json:"errors"`
	InputFileID      string            `json:"input_file_id"`
	CompletionWindow string            `json:"completion_window"`
	Status           Status            `json:"status"`
	OutputFileID     *string           `json:"output_file_id"`
	ErrorFileID      *string           `json:"error_file_id"`
	CreatedAt        int64             `json:"created_at"`
	InProgressAt     *int64            `json:"in_progress_at"`
	ExpiresAt        int64             `json:"expires_at"`
	FinalizingAt     *int64            `json:"finalizing_at"`
	CompletedAt      *int64            `json:"completed_at"`
	FailedAt         *int64            `json:"failed_at"`
	ExpiredAt        *int64            `json:"expired_at"`
	CancellingAt     *int64            `json:"cancelling_at"`
	CancelledAt      *int64            `json:"cancelled_at"`
	Counts           Counts            `json:"request_counts"`
	Metadata         map[string]string `json:"metadata"`
}

// Status is where a batch stands.
type Status string

// The statuses, in the words of OpenAI's API.
const (
	Validating Status = "validating"
	InProgress Status = "in_progress"
	Finalizing Status = "finalizing"
	Completed  Status = "completed"
	Failed     Status = "failed"
	Expired    Status = "expired"
	Cancelling Status = "cancelling"
	Cancelled  Status = "cancelled"
)

// over reports whether nothing more happens to the batch.
func (s Status) over() bool {
	return s == Completed || s == Failed || s == Expired || s == Cancelled
}

// Counts is how many of a batch's requests there are, and how they ended.
type Counts struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
}

// FileErrors says what is wrong with an input file.
type FileErrors struct {
	Object string      `json:"object"`
	Data   []FileError `json:"data"`
}

// FileError is what is wrong with a line, from 1; a nil Line is all of the file.
type FileError struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
	Line    *int    `json:"line"`
}

// record is a batch and how far it is, as it is kept.
type record struct {
	Batch  Batch  `json:"batch"`
	Tenant string `json:"tenant"`

	Step      int   `json:"step"`      // the steps that were made
	Chunks    int   `json:"chunks"`    // of the input; 0 until it is split
	Submitted int   `json:"submitted"` // chunks that were handed in
	Collected int   `json:"collected"` // chunks whose answers were written
	Next      int   `json:"next"`      // line of the next chunk that is handed in next
	Tries     int   `json:"tries"`     // of that line, at which this side broke
	Lost      int   `json:"lost"`      // steps in a row that did not find something as it was
	Waits     int   `json:"waits"`     // steps in a row in which nothing could be done
	Late      int   `json:"late"`      // lines that the window ran out for
	OutBytes  int64 `json:"out_bytes"`
	ErrBytes  int64 `json:"err_bytes"`
}

const prefix = "batches/"

func dir(tenant, id string) string       { return prefix + tenant + "/" + id + "/" }
func recordKey(tenant, id string) string { return dir(tenant, id) + "batch" }
func cancelKey(tenant, id string) string { return dir(tenant, id) + "cancel" }
func openDir(tenant string) string       { return prefix + tenant + "/open/" } // no batch has the id
func openKey(tenant, id string) string   { return openDir(tenant) + id }
func (r *record) key(of string, k int) string {
	return fmt.Sprintf("%s%s/%d", dir(r.Tenant, r.Batch.ID), of, k)
}

// keep is how long a batch can be looked at after the day in which it is worked off, and its files too.
const keep = 7 * 24 * time.Hour

// window is how long a batch may take, as its callers must say: OpenAI's API knows no other.
const window = "24h"

const windowTime = 24 * time.Hour

// maxRecord is over any record: its metadata and its errors are bounded.
const maxRecord = 256 << 10

// read returns the batch's record, or an error that is [objects.ErrNotFound].
func (s *Server) read(ctx context.Context, tenant, id string) (*record, error) {
	if !strings.HasPrefix(id, "batch_") || strings.Trim(strings.TrimPrefix(id, "batch_"), "0123456789abcdef") != "" {
		return nil, objects.ErrNotFound
	}
	b, err := s.get(ctx, recordKey(tenant, id), maxRecord)
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errSpoiled, id, err)
	}
	return r, nil
}

func (s *Server) write(ctx context.Context, r *record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("batches: encode %s: %w", r.Batch.ID, err)
	}
	if len(b) > maxRecord {
		return fmt.Errorf("batches: write %s: a record of %d bytes could not be read again", r.Batch.ID, len(b))
	}
	return s.put(ctx, r, recordKey(r.Tenant, r.Batch.ID), b)
}

// overdue is how long after its window a batch that is not over is told to have expired: nobody works it off any more.
const overdue = time.Hour

// shown returns the batch as its caller is to see it: that it is to be canceled shows before the step that does it, and that
// it is overdue shows without one.
func (s *Server) shown(ctx context.Context, r *record) Batch {
	if end := time.Unix(r.Batch.ExpiresAt, 0).Add(overdue); !r.Batch.Status.over() && !s.now().Before(end) {
		r.Batch.Status, r.Batch.ExpiredAt = Expired, at(end)
	}
	if !r.Batch.Status.over() && r.Batch.Status != Cancelling {
		if stop, err := s.canceled(ctx, r); err == nil && stop {
			r.Batch.Status = Cancelling
		}
	}
	return r.Batch
}

// canceled reports whether the batch is to be canceled.
func (s *Server) canceled(ctx context.Context, r *record) (bool, error) {
	_, err := s.cfg.Objects.Stat(ctx, cancelKey(r.Tenant, r.Batch.ID))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, objects.ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

func at(t time.Time) *int64 {
	n := t.Unix()
	return &n
}
