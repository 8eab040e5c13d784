package answers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// The arms of a model: its requests go to the stable targets or, for a share of them, to those that are on trial. An answer
// of one is none of the other, or a trial would be judged by the answers of what it is compared with.
const (
	Stable = "stable"
	Canary = "canary"
)

// keyVersion is that of what a key is made of. A change in it makes another version, so that processes of both can run at
// once.
const keyVersion = "v1."

// question is what determines an answer. Its JSON is the one text that is hashed.
type question struct {
	Tenant, Model, Arm string
	Made               []made // how the model is made
	Members            []member
	Messages           json.RawMessage
	Parameters         map[string]json.RawMessage
	Operation          string          `json:"operation,omitempty"` // other than chat
	Input              json.RawMessage `json:"input,omitempty"`     // of such a one, in the place of messages
}

// made is a target as far as it determines what it answers.
type made struct {
	API, Model, URL string
	Canary          bool
	Simulate        *catalog.Simulate
}

type member struct {
	Model string
	Made  []made
}

// Key returns what is the same for two requests if, and only if, the answer to one may answer the other: a hash over the
// tenant, the model and how it is made, the arm, the operation, the messages or the input, and the parameters. A prompt is a
// single message of a user, as the schema says. Layout, the order of members and the spelling of strings and numbers do not
// matter. What says nothing to the model (ids, metadata, callback, priority, deadline) is not in it, nor are weights, which
// choose among targets that stand for one model.
//
// Where m is a group, members are the models that it stands for: without them a change in how one is made is not seen.
func Key(tenant string, m *catalog.Model, arm string, r events.Request, members ...*catalog.Model) string {
	q := question{
		Tenant: tenant, Model: m.ID, Arm: arm, Made: madeOf(m),
		Parameters: map[string]json.RawMessage{},
	}
	switch r.Operation {
	case "", events.Chat:
		q.Messages = canonical(messages(r))
	default:
		q.Operation, q.Input = r.Operation, canonical(r.Input)
	}
	for _, g := range m.Group {
		q.Members = append(q.Members, member{Model: g.Model, Made: madeOfNamed(g.Model, members)})
	}
	slices.SortFunc(q.Members, byText[member])
	for name, raw := range r.Parameters {
		if !reserved(name, r.Operation) {
			q.Parameters[name] = canonical(raw)
		}
	}
	text := encoded(q)
	sum := sha256.Sum256(text)
	return keyVersion + base64.RawURLEncoding.EncodeToString(sum[:])
}

// messages returns the messages of the request as the client of package model sends them.
func messages(r events.Request) json.RawMessage {
	switch {
	case r.Prompt != nil:
		return encoded([]struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}{{"user", *r.Prompt}})
	case len(r.Messages) > 0:
		return r.Messages
	default:
		return json.RawMessage("[]")
	}
}

// reserved names the parameters that never reach a model: see newPayload of package model.
func reserved(name, operation string) bool {
	switch name {
	case "model", "messages", "stream", "stream_options":
		return true
	case "prompt":
		return operation == events.TextCompletion
	case "input":
		return operation == events.Embeddings
	default:
		return false
	}
}

// madeOf returns the model's targets, each that answers alike once, in one order.
func madeOf(m *catalog.Model) []made {
	all := make([]made, 0, len(m.Targets))
	for _, t := range m.Targets {
		all = append(all, made{t.API, t.Model, t.URL, t.Canary > 0, t.Simulate})
	}
	slices.SortFunc(all, byText[made])
	return slices.CompactFunc(all, func(a, b made) bool { return byText(a, b) == 0 })
}

func madeOfNamed(id string, models []*catalog.Model) []made {
	i := slices.IndexFunc(models, func(m *catalog.Model) bool { return m != nil && m.ID == id })
	if i < 0 {
		return nil
	}
	return madeOf(models[i])
}

func byText[T any](a, b T) int { return slices.Compare(encoded(a), encoded(b)) }

// encoded returns a value as JSON. Every value that is encoded here can be.
func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("answers: encode what a key is made of: " + err.Error())
	}
	return text
}
