package openaitest

import (
	"fmt"
	"maps"
	"slices"
)

// assemble returns what a stream said: how it was cut into pieces does not matter, in what order its events came does.
func assemble(chunks []any) any {
	if len(chunks) == 0 {
		return "an empty stream"
	}
	first, _ := chunks[0].(map[string]any)
	if _, ok := first["sequence_number"]; ok {
		return assembleEvents(chunks)
	}
	s := stream{choices: map[int]map[string]any{}}
	for _, c := range chunks {
		chunk, _ := c.(map[string]any)
		s.add(chunk)
	}
	out := map[string]any{"object": first["object"], "model": first["model"], "id": first["id"], "created": first["created"]}
	for _, i := range slices.Sorted(maps.Keys(s.choices)) {
		out[fmt.Sprintf("choice %d", i)] = s.choices[i]
	}
	if s.usage != nil {
		out["usage"] = s.usage
	}
	if s.faults != nil {
		out["faults"] = s.faults
	}
	return out
}

// stream is a completion being put together.
type stream struct {
	choices map[int]map[string]any
	usage   any
	faults  []string
}

func (s *stream) add(chunk map[string]any) {
	if u, ok := chunk["usage"]; ok && u != nil {
		s.usage = u
	}
	choices, _ := chunk["choices"].([]any)
	for _, c := range choices {
		choice, _ := c.(map[string]any)
		index, _ := choice["index"].(float64)
		to, ok := s.choices[int(index)]
		if !ok {
			to = map[string]any{}
			s.choices[int(index)] = to
		}
		if to["finish_reason"] != nil {
			s.faults = append(s.faults, fmt.Sprintf("choice %d goes on after its end", int(index)))
		}
		delta, _ := choice["delta"].(map[string]any)
		join(to, delta)
		if text, ok := choice["text"].(string); ok {
			join(to, map[string]any{"text": text})
		}
		if reason := choice["finish_reason"]; reason != nil {
			to["finish_reason"] = reason
		}
		if l := choice["logprobs"]; l != nil {
			logs, _ := to["logprobs"].([]any)
			to["logprobs"] = append(logs, l)
		}
	}
}

// join adds a delta to what there is: texts go on, and the calls of tools, by their index.
func join(to, delta map[string]any) {
	for k, v := range delta {
		switch v := v.(type) {
		case nil:
		case string:
			before, _ := to[k].(string)
			if k == "role" || k == "id" || k == "type" || k == "name" {
				before = ""
			}
			to[k] = before + v
		case map[string]any:
			inner, ok := to[k].(map[string]any)
			if !ok {
				inner = map[string]any{}
				to[k] = inner
			}
			join(inner, v)
		case []any:
			for _, each := range v {
				item, _ := each.(map[string]any)
				index, _ := item["index"].(float64)
				key := fmt.Sprintf("%s %d", k, int(index))
				inner, ok := to[key].(map[string]any)
				if !ok {
					inner = map[string]any{}
					to[key] = inner
				}
				join(inner, item)
			}
		default:
			to[k] = v
		}
	}
}

// assembleEvents returns the events of a response in their order, those that a text comes in as one.
func assembleEvents(chunks []any) any {
	var out []any
	var last map[string]any
	for i, c := range chunks {
		e, _ := c.(map[string]any)
		if n, _ := e["sequence_number"].(float64); int(n) != i {
			out = append(out, fmt.Sprintf("event %d has the number %v", i, e["sequence_number"]))
		}
		delete(e, "sequence_number")
		if delta, ok := e["delta"].(string); ok && last != nil && last["type"] == e["type"] {
			before, _ := last["delta"].(string)
			last["delta"] = before + delta
			continue
		}
		out = append(out, e)
		last = e
	}
	return out
}
