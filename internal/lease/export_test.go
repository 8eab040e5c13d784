package lease

// Held returns how many keys the store remembers, and how many bytes of outcomes.
func (m *Memory) Held() (keys, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		bytes += len(r.outcome)
	}
	return len(m.records), bytes
}
