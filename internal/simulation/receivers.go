package simulation

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// receivers is the receivers of callbacks as a process reaches them.
type receivers struct{ by *process }

var errRefused = errors.New("simulation: connection refused")

// RoundTrip implements [http.RoundTripper].
func (r receivers) RoundTrip(req *http.Request) (*http.Response, error) {
	w := r.by.world
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	id := req.Header.Get("webhook-id")
	resp := &http.Response{Header: http.Header{}, Body: http.NoBody, Request: req, ProtoMajor: 1, ProtoMinor: 1}
	err = w.await(req.Context(), &effect{by: r.by, kind: Post, subject: id, do: func() error {
		mode := "well"
		if w.faulty() {
			mode = modeAt(w.scenario.receivers[req.URL.Hostname()], time.Since(w.began))
		}
		switch mode {
		case "down":
			return errRefused
		case "failing":
			resp.StatusCode = http.StatusInternalServerError
		case "busy":
			resp.StatusCode = http.StatusServiceUnavailable
			resp.Header.Set("Retry-After", "3")
		case "gone":
			resp.StatusCode = http.StatusGone
		case "deaf": // it takes the callback, and says that it did not
			resp.StatusCode = http.StatusInternalServerError
			w.received(id, body)
		default:
			resp.StatusCode = http.StatusNoContent
			w.received(id, body)
		}
		w.notef("%d", resp.StatusCode)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// received notes that a receiver has got a callback.
func (w *World) received(id string, body []byte) {
	w.oneBodyUnderAnID(id, body)
	w.bodies[id], w.delivered[messageOf(id)] = body, id
}

// messageOf returns the message that an event id is of.
func messageOf(id string) string {
	const uuid = 36
	if len(id) < uuid {
		return ""
	}
	return strings.ToLower(id[:uuid])
}
