package objects

import "bytes"

// Alter changes the content of an object that is kept, as nobody but a fault does.
func (m *Memory) Alter(key string, change func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.objects[key]
	k.content = change(bytes.Clone(k.content))
	m.objects[key] = k
}
