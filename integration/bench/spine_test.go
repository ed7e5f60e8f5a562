package bench

import (
	"runtime"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/capture/pcap"
)

// BenchmarkSpine takes a capture of a million packets through all rooms in this
// process, as read does without an exporter, and reports time and allocations
// per packet. Opening and growing to the usual size are part of it.
func BenchmarkSpine(b *testing.B) {
	for _, c := range traffics {
		b.Run(c.name, func(b *testing.B) {
			path, packets, exchanges := write(b, c.name, 1_000_000, c.fill)
			batch := new(capture.Batch)
			cfg := observer.Config{
				Terse: true,
				Empty: func() *capture.Batch { batch.Reset(); return batch },
				Offer: func(*capture.Batch) bool { return true },
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.ResetTimer()
			for range b.N {
				src, err := pcap.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				o := observer.New(cfg, src)
				if err := o.Run(); err != nil {
					b.Fatal(err)
				}
				if n := o.Counters().Ledger[capture.RequestsAnswered]; n != uint64(exchanges) {
					b.Fatalf("%d requests answered, want %d", n, exchanges)
				}
				src.Close()
			}
			b.StopTimer()
			runtime.ReadMemStats(&after)
			all := float64(b.N) * float64(packets)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/all, "ns/packet")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/all, "allocs/packet")
		})
	}
}
