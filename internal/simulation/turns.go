package simulation

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// populate sets up everybody but the processes: the callers, and what happens in the world at its time.
func (w *World) populate() {
	for _, q := range w.scenario.requests {
		c := w.newCaller(q)
		if w.leaves(c.name()) {
			continue
		}
		w.names = append(w.names, c.name())
		w.callers = append(w.callers, c)
		w.requests[c.id] = c
		w.ask(func() { c.send(q.at, "") })
		if q.again > 0 && !w.leaves(c.name()+again) {
			w.names = append(w.names, c.name()+again)
			w.ask(func() { c.send(q.again, again) })
		}
		if q.cancel > 0 && !w.leaves(c.name()+cancels) {
			w.names = append(w.names, c.name()+cancels)
			w.ask(c.cancelLater)
		}
	}
	for i, t := range w.scenario.turns {
		name := fmt.Sprintf("%s %d", t.what, i)
		if w.leaves(name) {
			continue
		}
		w.at(w.began.Add(t.at), name, func() {
			w.faults = append(w.faults, name)
			w.happen(t)
		})
	}
	w.at(w.began.Add(w.scenario.faults), "the faults end", w.heal)
}

// What a caller may do beside sending its request, as names of parts that can be left out.
const (
	again   = " again"
	cancels = " is canceled"
)

// leaves reports whether the plan leaves out the part.
func (w *World) leaves(part string) bool { return w.plan.Leave[part] }

func (w *World) ask(f func()) {
	w.busy.Add(1)
	w.asking.Go(func() {
		defer w.busy.Add(-1)
		f()
	})
}

// happen has something happen in the world.
func (w *World) happen(t turn) {
	p := w.processes[min(t.n, len(w.processes)-1)]
	switch t.what {
	case "crash":
		if p != nil {
			w.crash(p)
		}
	case "stop":
		if p != nil {
			w.stop(p)
		}
	case "reload":
		w.reload(t.n, w.files[t.n]+1)
	case "redrive":
		w.redriveAll()
	case "away":
		w.common.away = time.Now().Add(t.long)
	case "stall", "freeze":
		if p != nil {
			w.blindOf[p.name] = true
			w.queue.stall(p, time.Now().Add(t.long), t.what == "freeze")
		}
	}
}

// reload puts a later configuration into the file of a process, which reads it.
func (w *World) reload(index, version int) {
	w.files[index] = min(version, len(w.scenario.catalogs)-1)
	if p := w.processes[index]; p != nil {
		p.catalog.Store(w.scenario.catalogs[w.files[index]])
	}
}

// heal ends the time of faults: every process has the last configuration, and an operator redrives what died.
func (w *World) heal() {
	w.common.away = time.Time{}
	for i := range w.files {
		if p := w.processes[i]; p != nil {
			w.queue.stall(p, time.Time{}, false)
		}
		w.reload(i, len(w.scenario.catalogs)-1)
	}
	w.redriveAll()
}

// redriveAll redrives the dead letters, as the command does, and once there are no more faults until none is left.
func (w *World) redriveAll() {
	dead := w.dead()
	for _, l := range dead {
		again := l.Event.Redrive()
		w.redrivenKeepsItsID(&l.Event, &again)
		if w.store(w.ctx, []events.Event{again}) != nil || w.bus.RemoveDeadLetter(w.ctx, l.Key) != nil {
			w.violatef(nothingLost, l.Event.Subject, "%s cannot be redriven", l.Event.ID)
			return
		}
		w.less(&l.Event)
	}
	if !w.faulty() && (len(dead) > 0 || !w.rests()) {
		w.at(time.Now().Add(10*time.Second), "the operator looks", w.redriveAll)
	}
}

// rests reports whether everything has been done that anybody was asked to do.
func (w *World) rests() bool {
	if w.busy.Load() > 0 {
		return false
	}
	for _, lane := range w.lanes {
		if _, ok := w.bus.Next(lane); ok || len(w.doubles[lane]) > 0 {
			return false
		}
	}
	return len(w.dead()) == 0
}

// dead returns the dead letters.
func (w *World) dead() []hop.DeadLetter {
	var all []hop.DeadLetter
	for l, err := range w.bus.DeadLetters(w.ctx) {
		if err != nil {
			w.violatef(nothingLost, l.Event.Subject, "%s cannot be read", l.Key)
		}
		all = append(all, l)
	}
	return all
}
