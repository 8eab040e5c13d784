package attachments

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What the strings begin with that refer to something: to a part of the request, and to a file of the tenant.
const (
	PartPrefix = "baton-part:"
	FilePrefix = "baton-file:"
)

// Reference stands in a body where a part was. It is made of what the part is alone, so that the same part in the same place
// is the same reference.
type Reference struct {
	N      int    // the part's number in the request, from 0
	Type   string // the media type of a data URL; empty: it was plain base64
	Bytes  int64  // decoded
	Digest string // SHA-256 of the decoded bytes, in hex
}

// typeEscaper keeps a media type with parameters one word of a reference, and free of what JSON escapes.
var (
	typeEscaper   = strings.NewReplacer("%", "%25", ";", "%3B", `"`, "%22", `\`, "%5C")
	typeUnescaper = strings.NewReplacer("%25", "%", "%3B", ";", "%22", `"`, "%5C", `\`)
)

// String returns the reference as it stands in a body: ASCII, without anything that JSON escapes.
func (r Reference) String() string {
	return fmt.Sprintf("%s%d;type=%s;bytes=%d;sha256=%s", PartPrefix, r.N, typeEscaper.Replace(r.Type), r.Bytes, r.Digest)
}

var errReference = errors.New("attachments: want " + PartPrefix + "N;type=TYPE;bytes=N;sha256=HEX")

// ParseReference reads what String wrote, and nothing else.
func ParseReference(s string) (Reference, error) {
	rest, ok := strings.CutPrefix(s, PartPrefix)
	words := strings.Split(rest, ";")
	if !ok || len(words) != 4 {
		return Reference{}, errReference
	}
	typ, ok1 := strings.CutPrefix(words[1], "type=")
	size, ok2 := strings.CutPrefix(words[2], "bytes=")
	digest, ok3 := strings.CutPrefix(words[3], "sha256=")
	n, err1 := strconv.Atoi(words[0])
	bytes, err2 := strconv.ParseInt(size, 10, 64)
	sum, err3 := hex.DecodeString(digest)
	r := Reference{N: n, Type: typeUnescaper.Replace(typ), Bytes: bytes, Digest: digest}
	if !ok1 || !ok2 || !ok3 || errors.Join(err1, err2, err3) != nil || n < 0 || bytes < 0 || len(sum) != 32 || r.String() != s {
		return Reference{}, errReference
	}
	return r, nil
}
