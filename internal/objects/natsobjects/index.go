package natsobjects

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The index of a bucket that is listed: beside NATS's own messages one for each object, without data, whose subject has the
// words of the key one by one. The subject by which NATS has an object is one word, of the whole key, so that a server could only
// be asked for all objects of the bucket; this one it can be asked for by how the key begins. NATS's own tools do not look at it.

func (b bucket) indexPrefix() string { return "$O." + b.name + ".I" }

// index returns the subject of an object in the index.
func (b bucket) index(key string) string { return b.indexPrefix() + words(strings.Split(key, "/")) }

// words returns the words of a key as tokens of a subject.
func words(of []string) string {
	var s strings.Builder
	for _, word := range of {
		s.WriteByte('.')
		s.WriteString(base64.RawURLEncoding.EncodeToString([]byte(word)))
	}
	return s.String()
}

// indexed returns the subjects of all keys in the index that begin with the prefix, and of more where it ends within a word.
func (b bucket) indexed(prefix string) string {
	whole := strings.Split(prefix, "/")
	return b.indexPrefix() + words(whole[:len(whole)-1]) + ".>"
}

// keyOfIndex returns the key of the object that a subject of the index is of.
func (b bucket) keyOfIndex(subject string) (string, bool) {
	rest, ok := strings.CutPrefix(subject, b.indexPrefix()+".")
	if !ok {
		return "", false
	}
	tokens := strings.Split(rest, ".")
	for i, token := range tokens {
		word, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return "", false
		}
		tokens[i] = string(word)
	}
	return strings.Join(tokens, "/"), true
}

// putIndex enters an object into the index of a bucket that is listed.
func (s *Store) putIndex(ctx context.Context, b bucket, key string, ttl time.Duration) error {
	if !b.listed {
		return nil
	}
	m := nats.NewMsg(b.index(key))
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	_, err := s.js.PublishMsg(ctx, m, options(ttl)...)
	return err
}

// keys returns the keys that begin with the prefix.
func (b bucket) keys(ctx context.Context, prefix string) ([]string, error) {
	filter, keyOf := b.metaPrefix()+">", b.keyOf
	if b.listed {
		filter, keyOf = b.indexed(prefix), b.keyOfIndex
	}
	is, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	var keys []string
	for subject := range is.State.Subjects {
		if key, ok := keyOf(subject); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
