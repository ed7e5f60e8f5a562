//go:build unix

package tcp

import (
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
)

// sink is a Handler that does nothing.
type sink struct{ bytes int }

func (s *sink) Data(_ capture.Mark, _ capture.Side, b []byte)        { s.bytes += len(b) }
func (s *sink) Gap(capture.Mark, capture.Side, int, capture.Reason)  {}
func (s *sink) End(_ capture.Mark, _ capture.Side, _ capture.Reason) {}
func newSinkTable(batch bool) (*Table, *capture.Book) {
	book := &capture.Book{}
	if batch {
		book.Batch = new(capture.Batch)
	}
	book.Ports = capture.NewPortTable(100)
	s := &sink{}
	return New(Config{}, book, func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return s }), book
}

// traffic plays generated connections without allocating.
type traffic struct {
	table   *Table
	p       capture.Packet
	payload [1448]byte
	flows   [][2]capture.Flow
	flow    *[2]capture.Flow // of the connection at hand
	spare   [2]capture.Flow
	packets int
	cpu     time.Duration
}

// flowsOf returns both directions of connection n.
func flowsOf(n int) [2]capture.Flow {
	client := capture.Endpoint{Addr: [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: byte(n >> 24), 14: byte(n >> 16), 15: 1}, Port: uint16(n) | 1}
	server := capture.Endpoint{Addr: [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 0, 15: 2}, Port: 80}
	f := capture.Flow{Src: client, Dst: server}
	return [2]capture.Flow{f, f.Reverse()}
}

// prepare makes the flows of the first n even connections.
func (t *traffic) prepare(n int) {
	for i := range n {
		t.flows = append(t.flows, flowsOf(2*i))
	}
}

// on makes connection n the one that segments are sent on; prepared ones cost
// the least.
func (t *traffic) on(n int) {
	if n/2 < len(t.flows) {
		t.flow = &t.flows[n/2]
		return
	}
	t.spare = flowsOf(n)
	t.flow = &t.spare
}

// send gives one segment to the table.
func (t *traffic) send(from capture.Side, flags capture.Flags, seq, ack uint32, length int) {
	t.p.Flow, t.p.Direction = t.flow[from], capture.Receive+capture.Direction(from)
	t.p.Time += 10_000
	t.p.TCP.Flags, t.p.TCP.Seq, t.p.TCP.Ack, t.p.TCP.Window = flags, seq, ack, 65535
	t.p.Payload, t.p.PayloadLen = t.payload[:length], length
	t.packets++
	t.table.Segment(&t.p)
}

func (t *traffic) open(n int) {
	t.on(n)
	t.send(cl, capture.SYN, 1000, 0, 0)
	t.send(sv, capture.SYN|capture.ACK, 5000, 1001, 0)
	t.send(cl, capture.ACK, 1001, 5001, 0)
}

// exchange is a request, a response and the acknowledgement of it.
func (t *traffic) exchange(n int, i uint32) {
	t.on(n)
	t.send(cl, capture.PSH|capture.ACK, 1001+i*80, 5001+i*200, 80)
	t.send(sv, capture.PSH|capture.ACK, 5001+i*200, 1081+i*80, 200)
	t.send(cl, capture.ACK, 1081+i*80, 5201+i*200, 0)
}

func (t *traffic) close(n int) {
	t.on(n)
	t.send(cl, capture.FIN|capture.ACK, 1081, 5201, 0)
	t.send(sv, capture.FIN|capture.ACK, 5201, 1082, 0)
	t.send(cl, capture.ACK, 1082, 5202, 0)
}

func newTraffic(batch bool) *traffic {
	table, _ := newSinkTable(batch)
	return &traffic{table: table, p: capture.Packet{Time: 1e18, Network: capture.IPv4, Transport: capture.TCP}}
}

// start forgets what was counted.
func (t *traffic) start() { t.packets, t.cpu = 0, cpu() }

// report states the CPU time per packet, which a busy machine changes less than
// the time on the wall.
func (t *traffic) report(b *testing.B) {
	b.ReportMetric(float64(cpu()-t.cpu)/float64(t.packets), "cpu-ns/packet")
	b.ReportMetric(0, "ns/op")
}

// cpu is the process's CPU time.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkKeepAlive: 50 connections, request, response and acknowledgement.
func BenchmarkKeepAlive(b *testing.B) {
	t := newTraffic(false)
	t.prepare(50)
	for n := range 50 {
		t.open(2 * n)
	}
	t.start()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for n := range 50 {
			t.exchange(2*n, uint32(i))
		}
	}
	t.report(b)
}

// BenchmarkMany: the same over 10,000 connections, so that memory counts.
func BenchmarkMany(b *testing.B) {
	t := newTraffic(false)
	t.prepare(10000)
	for n := range 10000 {
		t.open(2 * n)
	}
	t.start()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for n := range 10000 {
			t.exchange(2*n, uint32(i))
		}
	}
	t.report(b)
}

// BenchmarkShort: a connection per exchange, 9 packets each.
func BenchmarkShort(b *testing.B) {
	t := newTraffic(false)
	t.start()
	b.ReportAllocs()
	for n := 0; b.Loop(); n += 2 {
		t.open(n)
		t.exchange(n, 0)
		t.close(n)
	}
	t.report(b)
}

// BenchmarkReordered: every hundredth packet changes places with its follower.
func BenchmarkReordered(b *testing.B) {
	t := newTraffic(false)
	t.open(0)
	t.start()
	seq := uint32(5001)
	b.ReportAllocs()
	for b.Loop() {
		for range 98 {
			t.send(sv, capture.ACK, seq, 1001, 1448)
			seq += 1448
		}
		t.send(sv, capture.ACK, seq+1448, 1001, 1448)
		t.send(sv, capture.ACK, seq, 1001, 1448)
		seq += 2 * 1448
		t.send(cl, capture.ACK, 1001, seq, 0)
	}
	t.report(b)
}

// BenchmarkSYNFlood: every packet is the SYN of a new connection, the table full.
func BenchmarkSYNFlood(b *testing.B) {
	t := newTraffic(false)
	for n := range 70000 {
		t.on(2 * n)
		t.send(cl, capture.SYN, 1000, 0, 0)
	}
	t.start()
	b.ReportAllocs()
	for n := 70000; b.Loop(); n++ {
		t.on(2 * n)
		t.send(cl, capture.SYN, 1000, 0, 0)
	}
	t.report(b)
	if got := t.table.Len(); got != 65536 {
		b.Errorf("%d connections, want 65536", got)
	}
	size := float64(len(t.table.slab)*slabSize*int(unsafe.Sizeof(conn{})) + len(t.table.slots)*8)
	b.ReportMetric(size/65536, "B/conn")
}

// TestNoAllocations: in steady state nothing is allocated, whatever comes.
func TestNoAllocations(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(*traffic, int)
	}{
		{"keep-alive", func(tr *traffic, i int) { tr.exchange(0, uint32(i)) }},
		{"short connections", func(tr *traffic, i int) { tr.open(2 * i); tr.exchange(2*i, 0); tr.close(2 * i) }},
		{"reordered", func(tr *traffic, i int) {
			seq := 5001 + uint32(i)*200
			tr.send(sv, capture.ACK, seq+100, 1001, 100)
			tr.send(sv, capture.ACK, seq, 1001, 100)
		}},
		{"SYN flood", func(tr *traffic, i int) {
			tr.on(2*i + 2)
			tr.send(cl, capture.SYN, 1, 0, 0)
		}},
		{"lost packets", func(tr *traffic, i int) {
			seq := 5001 + uint32(i)*300
			tr.send(sv, capture.ACK, seq+100, 1001, 200)
			for range 12 {
				tr.send(cl, capture.ACK, 1001, seq+300, 0)
			}
		}},
		{"ticks", func(tr *traffic, i int) { tr.table.Tick(tr.p.Time + capture.Time(i)*1e9) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTraffic(false)
			tr.table.cfg.MaxConns = 1000
			tr.table.cfg.MaxClosed = 100
			tr.open(0)
			i := 0
			step := func() { tt.run(tr, i); i++ }
			for range 3000 {
				step()
			}
			if n := testing.AllocsPerRun(1000, step); n != 0 {
				t.Errorf("%v allocations per step", n)
			}
		})
	}
}

// TestConnSize: a bound of 65,536 connections is to fit into 22 MiB.
func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 352 {
		t.Errorf("a connection takes %d bytes, want at most 352", n)
	}
	t.Logf("%d bytes", unsafe.Sizeof(conn{}))
}
