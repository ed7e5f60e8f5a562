package observer_test

import (
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
)

// refusals makes n refused connections at one instant: 2n packets, n observations.
func refusals(n int) []capturetest.Segment {
	var out []capturetest.Segment
	for i := range n {
		var syn, rst capturetest.Segment
		p := &syn.Packet
		p.Network, p.Transport, p.Time = capture.IPv4, capture.TCP, 1_700_000_000_000_000_000
		p.Flow.Src.Addr = [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 1, 14: byte(i >> 8), 15: byte(i)}
		p.Flow.Dst.Addr = [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 2}
		p.Flow.Src.Port, p.Flow.Dst.Port = 40000, 81
		p.TCP = capture.TCPHeader{Seq: 100, Flags: capture.SYN, Window: 65535}
		rst.Packet = syn.Packet
		rst.Packet.Flow = p.Flow.Reverse()
		rst.Packet.TCP = capture.TCPHeader{Ack: 101, Flags: capture.RST | capture.ACK}
		out = append(out, syn, rst)
	}
	return out
}

// A batch is handed over when it is full, also while time stands still.
func TestBatchesAreBounded(t *testing.T) {
	most := 0
	o := observer.New(observer.Config{
		Empty: func() *capture.Batch { return new(capture.Batch) },
		Offer: func(b *capture.Batch) bool { most = max(most, len(b.Observations)); return true },
	}, capturetest.NewSource(refusals(5000)))
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	if most == 0 || most > 600 {
		t.Errorf("a batch held %d observations", most)
	}
}

// A batch is handed over when it holds much text, too.
func TestTextOfBatchesIsBounded(t *testing.T) {
	const n = 200
	var segments []capturetest.Segment
	target := strings.Repeat("a", 8000)
	for i, pair := range refusals(n) {
		p := &pair.Packet
		p.TCP = capture.TCPHeader{Seq: 1, Ack: 1, Flags: capture.ACK, Window: 65535}
		p.Payload = []byte("GET /" + target + " HTTP/1.1\r\nHost: shop\r\n\r\n")
		if i%2 == 1 { // the answer
			p.TCP.Ack += uint32(len(p.Payload))
			p.Payload = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		p.PayloadLen = len(p.Payload)
		segments = append(segments, pair)
	}
	most, exchanges := 0, 0
	o := observer.New(observer.Config{
		Empty: func() *capture.Batch { return new(capture.Batch) },
		Offer: func(b *capture.Batch) bool {
			most = max(most, b.TextBytes())
			for _, obs := range b.Observations {
				if x, ok := obs.(*capture.Exchange); ok && len(x.Target) == 1+len(target) && x.Status == 200 {
					exchanges++
				}
			}
			return true
		},
	}, capturetest.NewSource(segments))
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	if exchanges != n || most > 256<<10 {
		t.Errorf("%d exchanges, want %d; a batch held %d bytes of text", exchanges, n, most)
	}
}

// A full queue costs batches, says how many observations, and not the last batch.
func TestFullQueue(t *testing.T) {
	const n = 5000
	refuse := 3 // batches
	var made, told uint64
	var final *capture.Snapshot
	take := func(b *capture.Batch) bool {
		for _, obs := range b.Observations {
			if l, ok := obs.(*capture.Lost); ok {
				told += l.Observations
			} else {
				made++
			}
		}
		if b.HasSnapshot && b.Snapshot.Final {
			s := b.Snapshot
			final = &s
		}
		return true
	}
	o := observer.New(observer.Config{
		Empty: func() *capture.Batch { return new(capture.Batch) },
		Offer: func(b *capture.Batch) bool {
			if refuse > 0 {
				refuse--
				return false
			}
			return take(b)
		},
		Last: take,
	}, capturetest.NewSource(refusals(n)))
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	if told == 0 || made+told != n {
		t.Errorf("%d observations came, %d were told to be lost, of %d", made, told, n)
	}
	l := o.Counters().Ledger
	if l[capture.ObservationsMade] != n || l[capture.ObservationsLost] != told || l[capture.ObservationsHandedOver] != made {
		t.Errorf("made %d, lost %d, handed over %d", l[capture.ObservationsMade], l[capture.ObservationsLost], l[capture.ObservationsHandedOver])
	}
	if final == nil || final.Ledger != l {
		t.Error("the final snapshot is missing, or is not what the counters end with")
	}
	if bad := l.Check(); len(bad) > 0 {
		t.Error(bad)
	}
}

// Every batch refused: the last one still comes, when there is a way for it.
func TestLastBatchComes(t *testing.T) {
	last := 0
	o := observer.New(observer.Config{
		Empty: func() *capture.Batch { return new(capture.Batch) },
		Offer: func(*capture.Batch) bool { return false },
		Last:  func(b *capture.Batch) bool { last++; return b.HasSnapshot && b.Snapshot.Final },
	}, capturetest.NewSource(refusals(2000)))
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	if last != 1 {
		t.Errorf("the last batch came %d times", last)
	}
}
