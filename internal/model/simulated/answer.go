package simulated

import (
	"bytes"
	"strconv"
)

// answer is a completion about to be written.
type answer struct {
	number       uint64
	created      int64
	model        string
	words        int
	finish       string
	promptTokens int
	draw         draw // decides the words
}

// whole writes the answer as one chat completion.
func (a answer) whole(buf *bytes.Buffer) {
	b := buf.AvailableBuffer()
	b = a.appendHead(b, "chat.completion")
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":"`...)
	for i := range a.words {
		b = a.appendWord(b, i)
	}
	b = append(b, `","refusal":null},"logprobs":null,"finish_reason":"`...)
	b = append(b, a.finish...)
	b = append(b, `"}],"usage":`...)
	b = a.appendUsage(b)
	b = append(b, `}`...)
	buf.Write(b)
}

// stream writes the answer as server-sent events, a word each, and at the end [DONE].
func (a answer) stream(buf *bytes.Buffer, usage bool) {
	b := buf.AvailableBuffer()
	b = a.appendChunk(b, func(b []byte) []byte { return append(b, `"role":"assistant","content":""`...) }, "")
	for i := range a.words {
		b = a.appendChunk(b, func(b []byte) []byte {
			b = append(b, `"content":"`...)
			b = a.appendWord(b, i)
			return append(b, '"')
		}, "")
	}
	b = a.appendChunk(b, func(b []byte) []byte { return b }, a.finish)
	if usage {
		b = append(b, `data: `...)
		b = a.appendHead(b, "chat.completion.chunk")
		b = append(b, `,"choices":[],"usage":`...)
		b = a.appendUsage(b)
		b = append(b, "}\n\n"...)
	}
	b = append(b, "data: [DONE]\n\n"...)
	buf.Write(b)
}

func (a *answer) appendChunk(b []byte, delta func([]byte) []byte, finish string) []byte {
	b = append(b, `data: `...)
	b = a.appendHead(b, "chat.completion.chunk")
	b = append(b, `,"choices":[{"index":0,"delta":{`...)
	b = delta(b)
	b = append(b, `},"logprobs":null,"finish_reason":`...)
	b = appendNullable(b, finish)
	return append(b, "}]}\n\n"...)
}

func (a *answer) appendHead(b []byte, object string) []byte {
	b = append(b, `{"id":"chatcmpl-`...)
	b = strconv.AppendUint(b, a.number, 10)
	b = append(b, `","object":"`...)
	b = append(b, object...)
	b = append(b, `","created":`...)
	b = strconv.AppendInt(b, a.created, 10)
	b = append(b, `,"model":`...)
	return appendString(b, a.model)
}

func (a *answer) appendUsage(b []byte) []byte {
	b = append(b, `{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(a.promptTokens), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(a.words), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(a.promptTokens+a.words), 10)
	return append(b, '}')
}

// appendWord appends the answer's next word, i being how many there are before it.
func (a *answer) appendWord(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ' ')
	}
	return append(b, vocabulary[a.draw.index(len(vocabulary))]...)
}

// vocabulary is what answers are made of: words that are JSON as they stand.
var vocabulary = [...]string{
	"the", "a", "of", "and", "to", "in", "is", "it", "that", "for", "with", "as", "on", "by", "at", "from",
	"water", "light", "stone", "river", "mountain", "forest", "wind", "cloud", "rain", "snow", "field", "harbour", "bridge",
	"road", "tower", "garden", "reads", "writes", "carries", "holds", "turns", "follows", "answers", "waits", "moves",
	"grows", "rests", "begins", "ends", "returns", "slow", "quiet", "clear", "deep", "bright", "narrow", "early", "late",
	"old", "new", "small", "great", "here", "there", "always", "often", "once", "again",
}
