package ledger

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"baton.dev/baton/internal/catalog"
)

// Memory is a [Store] in the memory of this process, for one that is alone, for tests and for simulation. A restart
// forgets everything, and with it what was spent.
type Memory struct {
	mu       sync.Mutex
	accounts map[string]*account
	marks    map[mark]state // what is known of executions
	totals   map[string]map[row]Total
	sweep    int // how many marks there are when those that are over are looked for next
}

type account struct {
	Spent
	expires time.Time
}

// mark is an execution of an account, or one that was counted in the book, where the account is "".
type mark struct{ account, id string }

type state struct {
	reserved catalog.Money
	settled  bool
	until    time.Time
}

type row struct{ tenant, model, target string }

// firstSweep is a number of marks that is not worth a look at each.
const firstSweep = 1024

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	return &Memory{
		accounts: map[string]*account{}, marks: map[mark]state{}, totals: map[string]map[row]Total{}, sweep: firstSweep,
	}
}

// Reserve implements [Accounts].
func (m *Memory) Reserve(
	_ context.Context, name, id string, amount, budget catalog.Money, now, expires time.Time,
) (bool, error) {
	if err := Check(name, id, amount); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.marked(mark{name, id}, now); ok && !known.settled {
		return true, nil
	}
	if a, ok := m.accounts[name]; ok && now.Before(a.expires) && amount > budget-a.Spent.Spent-a.Reserved || amount > budget {
		return false, nil
	}
	a := m.account(name, now, expires)
	a.Reserved += amount
	m.note(mark{name, id}, state{reserved: amount, until: now.Add(Remembered)}, now)
	return true, nil
}

// Settle implements [Accounts].
func (m *Memory) Settle(_ context.Context, name, id string, amount catalog.Money, now time.Time) error {
	if err := Check(name, id, amount); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known, _ := m.marked(mark{name, id}, now)
	if known.settled {
		return nil
	}
	a := m.account(name, now, time.Time{})
	a.Reserved = max(a.Reserved-known.reserved, 0)
	a.Spent.Spent += amount
	m.note(mark{name, id}, state{settled: true, until: now.Add(Remembered)}, now)
	return nil
}

// Release implements [Accounts].
func (m *Memory) Release(_ context.Context, name, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.marks[mark{name, id}]
	if !ok || known.settled {
		return nil
	}
	if a, ok := m.accounts[name]; ok {
		a.Reserved = max(a.Reserved-known.reserved, 0)
	}
	delete(m.marks, mark{name, id})
	return nil
}

// Spent implements [Accounts].
func (m *Memory) Spent(_ context.Context, name string) (Spent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a, ok := m.accounts[name]; ok {
		return a.Spent, nil
	}
	return Spent{}, nil
}

// Count implements [Book].
func (m *Memory) Count(_ context.Context, now time.Time, e Entry) error {
	add, err := e.Total(now)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.marked(mark{"", e.ID}, now); known {
		return nil
	}
	if m.totals[add.Day] == nil {
		first := Day(now.AddDate(0, 0, -KeptDays))
		maps.DeleteFunc(m.totals, func(day string, _ map[row]Total) bool { return day < first })
		m.totals[add.Day] = map[row]Total{}
	}
	key := row{e.Tenant, e.Model, e.Target}
	sum := m.totals[add.Day][key]
	add.Attempts += sum.Attempts
	add.InputTokens += sum.InputTokens
	add.OutputTokens += sum.OutputTokens
	add.Money += sum.Money
	m.totals[add.Day][key] = add
	m.note(mark{"", e.ID}, state{until: now.Add(Recent)}, now)
	return nil
}

// Totals implements [Book].
func (m *Memory) Totals(_ context.Context, from, to time.Time) ([]Total, error) {
	days, err := Days(from, to)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Total
	for _, day := range days {
		all = slices.AppendSeq(all, maps.Values(m.totals[day]))
	}
	slices.SortFunc(all, Total.Compare)
	return all, nil
}

// account returns the account, made anew where there is none or its time is over, to live until expires at least. When one
// is made the others that are over go.
func (m *Memory) account(name string, now, expires time.Time) *account {
	a, ok := m.accounts[name]
	if !ok || !now.Before(a.expires) {
		maps.DeleteFunc(m.accounts, func(_ string, a *account) bool { return !now.Before(a.expires) })
		a = &account{}
		m.accounts[name] = a
	}
	for _, t := range []time.Time{expires, Expiry(name, now)} {
		if t.After(a.expires) {
			a.expires = t
		}
	}
	return a
}

func (m *Memory) marked(k mark, now time.Time) (state, bool) {
	s, ok := m.marks[k]
	if !ok || !now.Before(s.until) {
		return state{}, false
	}
	return s, true
}

func (m *Memory) note(k mark, s state, now time.Time) {
	m.marks[k] = s
	if len(m.marks) >= m.sweep {
		maps.DeleteFunc(m.marks, func(_ mark, s state) bool { return !now.Before(s.until) })
		m.sweep = max(firstSweep, 2*len(m.marks))
	}
}
