package simulated

import "testing"

func TestTheOldestFilesMakeRoom(t *testing.T) {
	t.Parallel()
	var a archive
	for _, id := range []string{"a", "b", "c", "d"} {
		a.keepFile(&storedFile{ID: id, content: make([]byte, maxFileBytes/3)})
	}
	for id, want := range map[string]bool{"a": false, "b": true, "c": true, "d": true} {
		if _, kept := a.file(id); kept != want {
			t.Errorf("file %s is kept: %t", id, kept)
		}
	}
}
