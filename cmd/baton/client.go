package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what is read of an answer, in bytes: more than a result can have.
const maxAnswer = 8 << 20

// acceptance is the answer to a request that is accepted.
type acceptance struct {
	MessageID string `json:"message_id"`
	RequestID string `json:"request_id"`
	Status    string `json:"status"`
	body      []byte // the whole answer
}

// post posts a request to a chain. Its error is what the chain says is wrong.
func post(ctx context.Context, url, key string, body []byte, prefer string) (acceptance, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/inferences", bytes.NewReader(body))
	if err != nil {
		return acceptance{}, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	if prefer != "" {
		req.Header.Set("Prefer", prefer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return acceptance{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return acceptance{}, err
	}
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusOK {
		return acceptance{}, refusal(resp.StatusCode, answer)
	}
	a := acceptance{body: answer}
	if err := json.Unmarshal(answer, &a); err != nil {
		return acceptance{}, fmt.Errorf("answer %d is not understood: %w", resp.StatusCode, err)
	}
	return a, nil
}

// refusal is what a problem answer says, in one line a field.
func refusal(status int, answer []byte) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Errors []struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	if json.Unmarshal(answer, &p) != nil || p.Title == "" {
		return fmt.Errorf("answered %d", status)
	}
	errs := []error{fmt.Errorf("answered %d %s: %s", status, p.Title, p.Detail)}
	for _, e := range p.Errors {
		errs = append(errs, fmt.Errorf("  %s: %s", e.Pointer, e.Detail))
	}
	return errors.Join(errs...)
}

// get returns what the chain answers to a GET.
func get(ctx context.Context, url, key string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp.StatusCode, answer)
	}
	return answer, nil
}
