package catalog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultInterval is how often a watch looks at its file.
const DefaultInterval = 2 * time.Second

// WatchConfig says what is watched.
type WatchConfig struct {
	Path     string
	Interval time.Duration // between two looks at the file; 0: [DefaultInterval]
	Log      *slog.Logger  // nil: [slog.Default]

	// Accept says whether a valid catalog is taken over, the first one too; nil: each is. It is called by one goroutine at a
	// time. Its error, by preference a [*Faults], refuses the catalog.
	Accept func(*Catalog) error
}

// Watch holds the newest valid catalog of a file. A change is taken over when the new content is valid and stands for one
// interval, so that a file half written is not; a bad new file is logged, fault by fault, and the old catalog stays. What
// Accept refuses is asked about again at each look, since the reason may be none of the file's, such as a secret that is
// not there yet; it is logged again when the reason changes.
//
// The files that hold secrets of the catalog in force are watched in the same way. When one changes, a new catalog of the same
// content is taken over, if Accept has it, so that whoever keeps something for a catalog makes it anew; else the change is
// logged, and the secrets stay what they were.
//
// It reads the files anew each time rather than waiting to be told: editors and Kubernetes replace a file by another or by a
// link, which notifications miss, and the content says whether it changed where size and time may not.
type Watch struct {
	path     string
	interval time.Duration
	log      *slog.Logger
	accept   func(*Catalog) error
	current  atomic.Pointer[Catalog]

	// Of the loop alone, once it runs.
	file, secrets content
	source        []byte // what the current catalog was made of
	trouble       string // why the file could not be read at the last look

	start, stop   sync.Once
	stopping, end chan struct{}
}

// NewWatch loads the file. Its error is that of [Load], or of Accept.
func NewWatch(cfg WatchConfig) (*Watch, error) {
	w := &Watch{
		path: cfg.Path, interval: cfg.Interval, log: cfg.Log, accept: cfg.Accept,
		stopping: make(chan struct{}), end: make(chan struct{}),
	}
	if w.interval <= 0 {
		w.interval = DefaultInterval
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	if w.accept == nil {
		w.accept = func(*Catalog) error { return nil }
	}
	src, err := readAtMost(w.path, maxSource)
	if err != nil {
		return nil, fmt.Errorf("catalog: read %s: %w", w.path, err)
	}
	c, err := w.parse(src)
	if err != nil {
		return nil, err
	}
	secrets := c.secretFiles()
	if err := w.accept(c); err != nil {
		return nil, err
	}
	w.file.settle(sha256.Sum256(src))
	w.secrets.settle(secrets)
	w.source = src
	w.current.Store(c)
	return w, nil
}

// Current returns the newest valid catalog. It is safe for concurrent use, and its method value is what parts that follow
// changes take.
func (w *Watch) Current() *Catalog { return w.current.Load() }

// Secret returns a secret that the current catalog refers to as it was when Accept checked it by [Catalog.CheckSecrets] or its
// like. So it costs no reading, and what becomes of a file breaks nothing before it is accepted. A secret that was not checked,
// as one that an older catalog referred to, is read; if no check was made, that is an error. It is safe for concurrent use.
func (w *Watch) Secret(s Secret) (string, error) { return w.current.Load().secret(s) }

// Static returns what stands for the Current of a watch where the catalog does not change.
func Static(c *Catalog) func() *Catalog { return func() *Catalog { return c } }

// Start begins to watch, until Stop. A second call has no effect.
func (w *Watch) Start() { w.start.Do(func() { go w.loop() }) }

// Stop ends the watch and returns when it has ended; Current goes on to return the last catalog. It may be called more than
// once, and without Start.
func (w *Watch) Stop() {
	w.stop.Do(func() { close(w.stopping) })
	w.start.Do(func() { close(w.end) }) // there is no loop to wait for, and there will be none
	<-w.end
}

func (w *Watch) loop() {
	defer close(w.end)
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		select {
		case <-w.stopping:
			return
		case <-ticker.C:
			w.look()
		}
	}
}

func (w *Watch) look() {
	w.lookAtFile()
	w.lookAtSecrets()
}

func (w *Watch) lookAtFile() {
	src, err := readAtMost(w.path, maxSource)
	if err != nil {
		// Once for each trouble, not for each look.
		if w.trouble != err.Error() {
			w.trouble = err.Error()
			w.log.Error("configuration cannot be read, the old one stays", "file", w.path, "error", err)
		}
		return
	}
	w.trouble = ""
	if w.file.due(sha256.Sum256(src)) && w.judge(&w.file, src) {
		c := w.current.Load()
		w.log.Info("configuration reloaded", "file", w.path, "models", len(c.Models), "tenants", len(c.Tenants))
		for _, f := range c.Warnings() {
			w.log.Warn("configuration has a warning", attributes(f)...)
		}
	}
}

func (w *Watch) lookAtSecrets() {
	if w.secrets.due(w.current.Load().secretFiles()) && w.judge(&w.secrets, w.source) {
		w.log.Info("secrets reloaded", "file", w.path)
	}
}

// judge takes over the catalog of the source, or says why not. It reports whether it did.
func (w *Watch) judge(changed *content, src []byte) bool {
	c, err := w.parse(src)
	if err != nil {
		w.refuse(changed, err)
		return false
	}
	// Before Accept reads them: what changes from here on is another change.
	secrets := c.secretFiles()
	if err := w.accept(c); err != nil {
		if changed.refuse(err) {
			w.refuse(changed, err)
		}
		return false
	}
	changed.refusal = ""
	w.source = src
	w.secrets.settle(secrets)
	w.current.Store(c)
	return true
}

func (w *Watch) parse(src []byte) (*Catalog, error) {
	return parseIn(filepath.Dir(w.path), w.path, src)
}

func (w *Watch) refuse(changed *content, err error) {
	log := w.log.With("changed", "file")
	if changed == &w.secrets {
		log = w.log.With("changed", "secrets")
	}
	faults, ok := errors.AsType[*Faults](err)
	if !ok {
		log.Error("configuration refused, the old one stays", "file", w.path, "error", err)
		return
	}
	for f := range faults.All() {
		log.Error("configuration refused, the old one stays", attributes(f)...)
	}
}

func attributes(f Fault) []any {
	return []any{"file", f.File, "line", f.Line, "column", f.Column, "path", f.Path, "problem", f.Problem}
}
