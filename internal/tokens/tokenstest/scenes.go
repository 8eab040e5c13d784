package tokenstest

import (
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/tokens"
)

func inOrder(t *testing.T, e Ends) {
	id, other := newID(), newID()
	f := follow(t, e.Follower, id, tokens.ID{}, nil)
	g := follow(t, e.Follower, other, tokens.ID{}, nil)
	for n := range 100 {
		send(e.Sender, id, n, n)
		send(e.Sender, newID(), n, n)
		f.until(at(n))
	}
	send(e.Sender, other, 0, 0)
	whole(t, f.until(at(99)), 0, 99)
	whole(t, g.until(at(0)), 0, 0)
}

func everyFollower(t *testing.T, e Ends) {
	id := newID()
	f, g := follow(t, e.Follower, id, tokens.ID{}, nil), follow(t, e.Follower, id, tokens.ID{}, nil)
	send(e.Sender, id, 0, 9)
	whole(t, f.until(at(9)), 0, 9)
	whole(t, g.until(at(9)), 0, 9)
	f.stop() // which takes nothing from the other
	send(e.Sender, id, 10, 19)
	whole(t, g.until(at(19)), 0, 19)
	whole(t, f.all(), 0, 9)
}

func untilTheEnd(t *testing.T, e Ends) {
	const rounds = 20
	wholes := 0
	for range rounds {
		id := newID()
		f := follow(t, e.Follower, id, tokens.ID{}, nil)
		send(e.Sender, id, 0, 49)
		e.Arrived()
		f.stop()
		taken := f.all()
		if len(taken) == 50 {
			wholes++
		}
		whole(t, taken, 0, len(taken)-1) // a machine that is too busy for it in the grace cuts the end off, and no more
	}
	if wholes < rounds*3/4 {
		t.Errorf("of %d followers %d got what was sent before their end", rounds, wholes)
	}
}

func supersedes(t *testing.T, e Ends) {
	id := newID()
	f := follow(t, e.Follower, id, tokens.ID{}, nil)
	send(e.Sender, id, 0, 3)
	f.until(at(3))
	repeat, second := tokens.ID{Attempt: 1, Token: 8}, tokens.ID{Attempt: 2, Token: 1}
	for _, p := range []tokens.ID{repeat, at(4), second, at(5), {Attempt: 1, Token: 8, N: 1}, {Attempt: 2, Token: 1, N: 1}} {
		e.Sender.Send(id, piece(p))
	}
	taken := f.until(tokens.ID{Attempt: 2, Token: 1, N: 1})
	rising(t, taken)
	if got := taken[len(taken)-2].ID; got != second {
		t.Errorf("the piece before the last is %s, want %s", got, second)
	}
	for _, p := range taken {
		if p.ID == at(4) || p.ID == at(5) {
			t.Errorf("piece %s of a superseded execution came", p.ID)
		}
	}
}

func tooLarge(t *testing.T, e Ends) {
	id := newID()
	f := follow(t, e.Follower, id, tokens.ID{}, nil)
	send(e.Sender, id, 0, 0)
	e.Sender.Send(id, large(at(1)))
	send(e.Sender, id, 2, 2)
	taken := f.until(at(2))
	if len(taken) != 2 || !same(taken[0], piece(at(0))) || !same(taken[1], piece(at(2))) {
		t.Errorf("%d pieces came, want the first and the third", len(taken))
	}
}

func standsStill(t *testing.T, e Ends) {
	const n = 6000 // more than is kept of any
	id := newID()
	held, begun := make(chan struct{}), make(chan struct{})
	begin, release := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(held) })
	slow := follow(t, e.Follower, id, tokens.ID{}, func(tokens.Piece) {
		begin()
		<-held
	})
	defer release()
	quick := follow(t, e.Follower, id, tokens.ID{}, nil)
	send(e.Sender, id, 0, 0)
	<-begun
	for i := 1; i < n; i += 100 { // at the pace of one who does not stand still
		send(e.Sender, id, i, i+99)
		quick.until(at(i + 99))
	}
	whole(t, quick.all(), 0, n)
	release()
	for i := n + 1; ; i++ { // it has missed pieces, perhaps, and goes on
		send(e.Sender, id, i, i)
		e.Arrived()
		if taken := slow.all(); len(taken) > 0 && taken[len(taken)-1].ID.N > n {
			rising(t, taken)
			return
		}
		select {
		case <-slow.more:
		case <-time.After(time.Millisecond):
		}
		if i == 10*n {
			t.Fatal("the slow follower does not go on")
		}
	}
}

func comeAndGo(t *testing.T, e Ends) {
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 4 {
				id := newID()
				f := follow(t, e.Follower, id, tokens.ID{}, nil)
				send(e.Sender, id, 0, 2)
				f.until(at(2))
				f.stop()
				whole(t, f.all(), 0, 2)
			}
		})
	}
	all.Wait()
}

func comesLate(t *testing.T, e Ends) {
	id := newID()
	send(e.Sender, id, 0, 499)
	e.Arrived()
	f := follow(t, e.Follower, id, tokens.ID{}, nil)
	whole(t, f.until(at(499)), 0, 499)
	send(e.Sender, id, 500, 510)
	whole(t, f.until(at(510)), 0, 510)
}

func goesOn(t *testing.T, e Ends) {
	id := newID()
	send(e.Sender, id, 0, 99)
	e.Arrived()
	f := follow(t, e.Follower, id, at(41), nil)
	send(e.Sender, id, 100, 109)
	whole(t, f.until(at(109)), 42, 109)
	g := follow(t, e.Follower, id, at(109), nil)
	send(e.Sender, id, 110, 110)
	whole(t, g.until(at(110)), 110, 110)
}

func comesAnyTime(t *testing.T, e Ends) {
	const n = 500
	id := newID()
	var sending, following sync.WaitGroup
	begun := make(chan struct{})
	sending.Go(func() {
		for i := 0; i < n; i += 5 {
			send(e.Sender, id, i, i+4)
			e.Arrived()
			if i == n/10 {
				close(begun)
			}
		}
	})
	<-begun
	for range 20 {
		following.Go(func() {
			f := follow(t, e.Follower, id, tokens.ID{}, nil)
			whole(t, f.until(at(n-1)), 0, n-1)
		})
	}
	sending.Wait()
	following.Wait()
}

func comesAtOnce(t *testing.T, e Ends) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 100 {
				id := newID()
				go func() {
					if n%2 == 0 {
						<-time.After(time.Duration(i) * 20 * time.Microsecond)
					}
					send(e.Sender, id, 0, 0) // and none after it, which would show what is missing
				}()
				f := follow(t, e.Follower, id, tokens.ID{}, nil)
				whole(t, f.until(at(0)), 0, 0)
				f.stop()
			}
		})
	}
	all.Wait()
}

func keepsTheLast(t *testing.T, e Ends) {
	id := newID()
	send(e.Sender, id, 0, 2)
	second := tokens.ID{Attempt: 2, Token: 1}
	e.Sender.Send(id, piece(second))
	e.Arrived()
	taken := follow(t, e.Follower, id, tokens.ID{}, nil).until(second)
	rising(t, taken)
	if got := taken[len(taken)-1]; !same(got, piece(second)) {
		t.Errorf("the last piece is %+v", got)
	}
}
