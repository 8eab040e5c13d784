package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"
)

// Memory keeps objects in this process: for tests, and for a chain that is of one process and forgets. It is a [Store] and a
// [Lister]. It holds each object whole. What is past its Expires is forgotten when it is asked for.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	objects map[string]kept
}

// kept is an object. Its content is never written to.
type kept struct {
	info    Info
	content []byte
}

// NewMemory returns an empty store. The clock is now; nil: time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, objects: map[string]kept{}}
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, in Info, content io.Reader) (Info, error) {
	if err := in.Check(); err != nil {
		return Info{}, err
	}
	data, err := io.ReadAll(content)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Info{}, fmt.Errorf("objects: put %s: %w", in.Key, err)
	}
	if err := in.CheckMetadata(); err != nil {
		return Info{}, err
	}
	sum := sha256.Sum256(data)
	in.Size, in.Digest = int64(len(data)), hex.EncodeToString(sum[:])
	in.Created, in.Expires = m.now().UTC().Round(0), in.Expires.UTC()
	in.Metadata = maps.Clone(in.Metadata)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[in.Key] = kept{in, data}
	in.Metadata = maps.Clone(in.Metadata)
	return in, nil
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, key string) (Info, io.ReadCloser, error) {
	k, err := m.find(key)
	if err != nil {
		return Info{}, nil, err
	}
	return k.info, Verify(k.info, io.NopCloser(bytes.NewReader(k.content))), nil
}

// Stat implements [Store].
func (m *Memory) Stat(_ context.Context, key string) (Info, error) {
	k, err := m.find(key)
	return k.info, err
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// List implements [Lister]. It looks at every object that is kept.
func (m *Memory) List(_ context.Context, prefix string) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Info
	for key, k := range m.objects {
		if strings.HasPrefix(key, prefix) {
			found = append(found, k.info)
		}
	}
	return found, nil
}

func (m *Memory) find(key string) (kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.objects[key]
	if ok && k.info.Expired(m.now()) {
		delete(m.objects, key)
		ok = false
	}
	if !ok {
		return kept{}, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	k.info.Metadata = maps.Clone(k.info.Metadata)
	return k, nil
}
