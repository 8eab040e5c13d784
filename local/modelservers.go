package local

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/process"
)

// models calls targets, and runs a real model server on loopback for each simulated one, so that the chain calls it as any
// other.
type models struct {
	*chain.Clients

	mu      sync.Mutex
	servers map[string]*modelServer // by target
}

// modelServer is the server of one simulated target.
type modelServer struct {
	simulate catalog.Simulate
	url      string
	server   *http.Server
}

func newModels(secrets func(catalog.Secret) (string, error), maxResult int, log *slog.Logger) *models {
	return &models{Clients: chain.NewClients(secrets, maxResult, log), servers: map[string]*modelServer{}}
}

// Call implements [model.Client].
func (m *models) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	if call.Target.API != catalog.Simulated {
		return m.Clients.Call(ctx, call)
	}
	url, err := m.serve(ctx, call.Target)
	if err != nil {
		return model.Answer{}, err
	}
	target := *call.Target
	target.API, target.URL = catalog.OpenAI, url
	call.Target = &target
	return m.Clients.Call(ctx, call)
}

// serve returns the URL of the target's server, which it starts, and starts anew when the target is to behave otherwise.
func (m *models) serve(ctx context.Context, t *catalog.Target) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.servers[t.Name]
	if ok && s.simulate == *t.Simulate {
		return s.url, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("local: model server of %s: %w", t.Name, err)
	}
	if ok {
		old := s.server
		go func() { _ = old.Shutdown(context.WithoutCancel(ctx)) }() // it ends with its last call
	}
	s = &modelServer{
		simulate: *t.Simulate, url: "http://" + listener.Addr().String() + "/v1",
		server: process.NewModelServer(simulated.New(*t.Simulate)),
	}
	m.servers[t.Name] = s
	go func() { _ = s.server.Serve(listener) }()
	return s.url, nil
}

func (m *models) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.servers {
		_ = s.server.Close()
	}
	m.Clients.Close()
}
