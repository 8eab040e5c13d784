package chain

import (
	"context"
	"log/slog"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/oip"
)

// Clients calls targets, each by its api and with its credentials. It is safe for concurrent use.
type Clients struct {
	model.Clients

	credentials *credentials.Credentials
	openai      *model.OpenAI
	grpc        *oip.GRPC
	http        *oip.HTTP
	log         *slog.Logger
}

// leastAnswer is the least bound of an answer in bytes: what a server writes may be longer than what is kept of it.
const leastAnswer = 4 << 20

// NewClients returns the client of every api that is called over a network, for results of up to maxResult bytes. Close them
// when they are not needed any more.
func NewClients(secrets func(catalog.Secret) (string, error), maxResult int, log *slog.Logger) *Clients {
	creds := credentials.New(credentials.Config{Key: secrets, Log: log})
	maxAnswer := int64(max(maxResult, leastAnswer))
	c := &Clients{
		credentials: creds,
		openai:      model.NewOpenAI(model.OpenAIConfig{Credentials: creds, MaxAnswer: maxAnswer}),
		grpc:        oip.NewGRPC(oip.GRPCConfig{Credentials: creds, MaxAnswer: maxAnswer}),
		http:        oip.NewHTTP(oip.HTTPConfig{Credentials: creds, MaxAnswer: maxAnswer}),
		log:         log,
	}
	c.Clients = model.Clients{catalog.OpenAI: c.openai, catalog.OIPGRPC: c.grpc, catalog.OIPHTTP: c.http}
	return c
}

// Probe asks the targets that can be asked whether their models are ready, and tells the board, until ctx is done.
func (c *Clients) Probe(ctx context.Context, targets func() []*catalog.Target, board *health.Board) {
	oip.NewProber(oip.ProberConfig{
		Targets: targets, Clients: map[string]oip.Readier{catalog.OIPGRPC: c.grpc, catalog.OIPHTTP: c.http}, Board: board, Log: c.log,
	}).Run(ctx)
}

// Close closes what the clients hold. It does not interrupt calls.
func (c *Clients) Close() {
	c.openai.Close()
	c.grpc.Close()
	c.http.Close()
	c.credentials.Close()
}
