package awslambda

import (
	"log/slog"
	"sync"
	"time"

	"baton.dev/baton/internal/catalog"
)

// configuration is the catalog of the file in the zip, which cannot change while the process lives. It is read once, unless
// it is to be renewed: then it is read again from time to time, for whoever keeps what it made of the secrets for as long
// as the catalog is the same one, as callback does of signers.
type configuration struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	current *catalog.Catalog
	until   time.Time // zero: for good
}

func loadConfiguration(path string, renewed bool, log *slog.Logger) (*configuration, error) {
	current, err := catalog.Load(path)
	if err != nil {
		return nil, err
	}
	c := &configuration{path: path, log: log, now: time.Now, current: current}
	if renewed {
		c.until = c.now().Add(secretFor)
	}
	return c, nil
}

// catalog returns the configuration in force. It is safe for concurrent use.
func (c *configuration) catalog() *catalog.Catalog {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() || c.now().Before(c.until) {
		return c.current
	}
	c.until = c.now().Add(secretFor)
	again, err := catalog.Load(c.path)
	if err != nil {
		c.log.Warn("configuration not read again: the one read before is used", "error", err)
		return c.current
	}
	c.current = again
	return c.current
}
