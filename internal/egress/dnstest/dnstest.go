// Package dnstest is a name server for tests of what is done with the addresses that names resolve to.
package dnstest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Serve starts a name server on loopback and returns a resolver that asks it. Every name has the addresses that answer
// returns; its argument counts the lookups from 0, a lookup being one question for A records. Questions for AAAA records
// are answered from the same lookup.
func Serve(t testing.TB, answer func(lookup int) []netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		s := nameServer{answer: answer, asked: map[dnsmessage.Type]int{}}
		buf := make([]byte, 1500)
		for {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := s.reply(buf[:n]); err == nil {
				_, _ = conn.WriteTo(reply, peer)
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		wg.Wait()
	})
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
		},
	}
}

type nameServer struct {
	answer func(lookup int) []netip.Addr
	asked  map[dnsmessage.Type]int // questions of each type: the resolver asks for both types once a lookup
}

func (s *nameServer) reply(query []byte) ([]byte, error) {
	var msg dnsmessage.Message
	if err := msg.Unpack(query); err != nil {
		return nil, err
	}
	msg.Response, msg.Authoritative, msg.Additionals = true, true, nil
	for _, q := range msg.Questions {
		lookup := s.asked[q.Type]
		s.asked[q.Type]++
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		for _, addr := range s.answer(lookup) {
			switch {
			case q.Type == dnsmessage.TypeA && addr.Is4():
				msg.Answers = append(msg.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: addr.As4()}})
			case q.Type == dnsmessage.TypeAAAA && addr.Is6():
				msg.Answers = append(msg.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
			}
		}
	}
	return msg.Pack()
}
