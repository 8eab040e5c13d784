package simulated

import (
	"slices"
	"sync"
)

const (
	// maxKept is how many responses, files and batches are kept, of each; the oldest make room.
	maxKept = 1000
	// maxFileBytes is how much of files is kept in all.
	maxFileBytes = 256 << 20
)

// archive is what a server keeps, in memory, in the order in which it came. It is safe for concurrent use.
type archive struct {
	mu        sync.Mutex
	responses []*response
	files     []*storedFile
	batches   []*batch
}

// keep adds to what is kept, without the oldest if it is too much.
func keep[T any](a *archive, all *[]T, v T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*all = append(*all, v)
	if n := len(*all) - maxKept; n > 0 {
		*all = slices.Clone((*all)[n:])
	}
}

// keepFile adds a file, without the oldest if their bytes are too many.
func (a *archive) keepFile(f *storedFile) {
	keep(a, &a.files, f)
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := 0
	for i, f := range slices.Backward(a.files) {
		if sum += len(f.content); sum > maxFileBytes {
			a.files = slices.Clone(a.files[i+1:])
			return
		}
	}
}

func (a *archive) response(id string) (*response, bool) {
	return find(a, &a.responses, func(r *response) bool { return r.ID == id })
}

func (a *archive) file(id string) (*storedFile, bool) {
	return find(a, &a.files, func(f *storedFile) bool { return f.ID == id })
}

func (a *archive) batch(id string) (*batch, bool) {
	return find(a, &a.batches, func(b *batch) bool { return b.ID == id })
}

// attachment returns what there is to know of a file that was uploaded.
func (a *archive) attachment(id string) (attachment, bool) {
	f, ok := a.file(id)
	if !ok {
		return attachment{}, false
	}
	return f.sum, true
}

func find[T any](a *archive, all *[]T, is func(T) bool) (v T, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.IndexFunc(*all, is); i >= 0 {
		return (*all)[i], true
	}
	return v, false
}

// drop removes what is kept, and reports whether it was.
func drop[T any](a *archive, all *[]T, is func(T) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(*all)
	*all = slices.DeleteFunc(slices.Clone(*all), is)
	return len(*all) < before
}

// page returns the newest first, so many of them after the one of an id, and whether there are more.
func page[T any](a *archive, all *[]T, id func(T) string, after string, limit int) (some []T, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := after == ""
	for _, v := range slices.Backward(*all) {
		switch {
		case !seen:
			seen = id(v) == after
		case len(some) == limit:
			return some, true
		default:
			some = append(some, v)
		}
	}
	return some, false
}
