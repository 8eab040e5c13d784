package simulated

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// prompt is what the words of an answer depend on: who says what, in which order. It is the same for a text and for the one
// part that holds it, and for whatever endpoint it came by.
type prompt struct {
	sum       uint64
	records   []uint64 // what sum is of, where it is to be continued
	keep      bool
	tokens    int
	audio     int  // of the tokens
	afterTool bool // the last word has the output of a tool

	stored func(id string) (attachment, bool) // looks up an uploaded file
}

func (p *prompt) record(sum uint64) {
	p.sum = fold(p.sum, sum)
	if p.keep {
		p.records = append(p.records, sum)
	}
}

// fold returns the sum of what two sums are of, in this order.
func fold(a, b uint64) uint64 {
	var both [16]byte
	binary.LittleEndian.PutUint64(both[:8], a)
	binary.LittleEndian.PutUint64(both[8:], b)
	return xxhash.Sum64(both[:])
}

// speaker returns who a role stands for. What a developer says is what a system says, and a function is a tool.
func speaker(role string) uint64 {
	switch role {
	case "system", "developer":
		return 1
	case "user":
		return 2
	case "assistant":
		return 3
	case "tool", "function":
		return 4
	default:
		return 0
	}
}

// says adds a content to the prompt; at is where in the request it stands.
func (p *prompt) says(role string, c content, d dialect, at string) *fault {
	by := speaker(role)
	p.afterTool = by == 4
	if c.wrong != "" {
		return wrongType(at, "one of a string or array of objects", c.wrong)
	}
	if c.parts == nil {
		p.tokens += c.text.n
		p.record(fold(by, fold(uint64(textPart), c.text.sum)))
		return nil
	}
	sum := by
	for i, part := range c.parts {
		s, f := p.part(part, d, fmt.Sprintf("%s[%d]", at, i))
		if f != nil {
			return f
		}
		sum = fold(sum, s)
	}
	p.record(sum)
	return nil
}

// calls adds the call of a function that the model is said to have made.
func (p *prompt) calls(name, arguments string) {
	p.afterTool = false
	p.record(fold(xxhash.Sum64String(name), xxhash.Sum64String(arguments)))
}

// part returns the sum of a part, and counts its tokens.
func (p *prompt) part(part part, d dialect, at string) (uint64, *fault) {
	k := d.kinds[part.Type]
	switch k {
	case textPart:
		text := part.Text
		if part.Type == "refusal" {
			text = part.Refusal
		}
		if !text.present {
			return 0, missing(at + "." + strings.TrimPrefix(strings.TrimPrefix(part.Type, "input_"), "output_"))
		}
		p.tokens += text.n
		return fold(uint64(k), text.sum), nil
	case imagePart:
		return p.image(part, at)
	case audioPart:
		a, ok := readAttachment(part.InputAudio.Data)
		if !ok {
			return 0, bad("Invalid base64 audio.", at+".input_audio.data", "invalid_value")
		}
		if f := part.InputAudio.Format; f != "wav" && f != "mp3" {
			return 0, wrongValue(at+".input_audio.format", f, "wav", "mp3")
		}
		p.audio += a.tokens()
		return p.attached(k, a), nil
	case filePart:
		return p.file(part, at)
	default:
		if part.Type == "" {
			return 0, missing(at + ".type")
		}
		return 0, wrongValue(at+".type", part.Type, d.names...)
	}
}

func (p *prompt) attached(k kind, a attachment) uint64 {
	p.tokens += a.tokens()
	return fold(uint64(k), xxhash.Sum64String(a.digest))
}

func (p *prompt) image(part part, at string) (uint64, *fault) {
	url := part.ImageURL.url
	at += ".image_url"
	if part.Type == "image_url" {
		at += ".url"
	}
	switch {
	case url == "" && part.FileID != "":
		return p.upload(imagePart, part.FileID, at)
	case url == "":
		return 0, missing(at)
	case strings.HasPrefix(url, "data:"):
		_, text, ok := strings.Cut(url, ";base64,")
		a, decoded := readAttachment(text)
		if !ok || !decoded {
			return 0, bad("Invalid base64 image_url.", at, "invalid_base64_image")
		}
		return p.attached(imagePart, a), nil
	case strings.HasPrefix(url, "https://"), strings.HasPrefix(url, "http://"):
		p.tokens += 85
		return fold(uint64(imagePart), xxhash.Sum64String(url)), nil
	default:
		return 0, bad("Invalid '"+at+"'. Expected a valid URL, but got a value with an invalid format.", at, "invalid_value")
	}
}

func (p *prompt) file(part part, at string) (uint64, *fault) {
	f := part.File
	if part.Type == "file" {
		at += ".file"
	} else {
		f = file{ID: part.FileID, Data: part.FileData}
	}
	if f.ID != "" {
		return p.upload(filePart, f.ID, at)
	}
	text := f.Data
	if strings.HasPrefix(text, "data:") {
		_, text, _ = strings.Cut(text, ";base64,")
	}
	a, ok := readAttachment(text)
	if !ok {
		return 0, bad("Invalid file data: expected a file_id, or file_data in base64.", at+".file_data", "invalid_value")
	}
	return p.attached(filePart, a), nil
}

// upload returns the sum of a file that was uploaded, which is that of its bytes.
func (p *prompt) upload(k kind, id, at string) (uint64, *fault) {
	a, ok := p.stored(id)
	if !ok {
		return 0, bad("No such File object: "+id, at+".file_id", "invalid_value")
	}
	return p.attached(k, a), nil
}
