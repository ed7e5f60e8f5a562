package exporter

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

func TestQueueIsBounded(t *testing.T) {
	q := NewQueue(2)
	a, b, c := q.Empty(), q.Empty(), q.Empty()
	if !q.Offer(a) || !q.Offer(b) {
		t.Fatal("a queue of two does not take two batches")
	}
	if q.Offer(c) {
		t.Fatal("a full queue takes a batch")
	}
	if got := <-q.Batches(); got != a {
		t.Error("not in order")
	}
	if !q.Offer(c) {
		t.Error("there is room again, and it is not taken")
	}
	q.Close()
	if <-q.Batches() != b || <-q.Batches() != c {
		t.Error("not in order")
	}
	if _, open := <-q.Batches(); open {
		t.Error("a closed queue has more")
	}
}

// TestPutWaits: for files nothing is dropped.
func TestPutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(1)
		q.Put(q.Empty())
		put := false
		go func() { put = q.Put(q.Empty()) }()
		synctest.Wait()
		if put {
			t.Error("Put does not wait for room")
		}
		<-q.Batches()
		synctest.Wait()
		if !put {
			t.Error("Put still waits though there is room")
		}
	})
}

func TestReleaseEmpties(t *testing.T) {
	q := NewQueue(1)
	b := q.Empty()
	b.Lost()
	b.HasSnapshot = true
	q.Release(b)
	if len(b.Observations) != 0 || b.HasSnapshot {
		t.Error("a released batch keeps what it held")
	}
	if e := q.Empty(); len(e.Observations) != 0 || e.HasSnapshot {
		t.Error("Empty gives a batch that is not")
	}
}

// fake notes what it is given.
type fake struct {
	mu       sync.Mutex
	seen     []string // kinds of observations and ids of findings, in order
	batches  int
	health   diagnosis.ExportHealth
	shutdown func(context.Context) error
}

func (f *fake) Export(b *capture.Batch, findings []diagnosis.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches++
	for _, o := range b.Observations {
		f.seen = append(f.seen, strings.TrimPrefix(reflect.TypeOf(o).String(), "*capture."))
	}
	for _, fd := range findings {
		f.seen = append(f.seen, fd.ID+" "+fd.State.String())
	}
}

func (f *fake) Health(dst []diagnosis.ExportHealth) []diagnosis.ExportHealth {
	return append(dst, f.health)
}

func (f *fake) Shutdown(ctx context.Context) error {
	if f.shutdown == nil {
		return nil
	}
	return f.shutdown(ctx)
}

// refused is a batch with connects that were refused, and a snapshot at a time.
func refused(q *Queue, at capture.Time, final bool) *capture.Batch {
	b := q.Empty()
	if !final {
		for range 5 {
			o := b.ConnFailed()
			o.At, o.Why, o.Attempts = at, capture.ReasonRefused, 1
			o.Conn.Server.Port = 5432
			o.Conn.Role = capture.RoleClient
		}
	}
	b.HasSnapshot = true
	b.Snapshot = capture.Snapshot{Time: at, Final: final}
	b.Snapshot.Ledger[capture.FramesRead] = 10
	b.Snapshot.Ledger[capture.FrameTCP] = 10
	return b
}

// TestDesk: each exporter gets every observation, then the findings of its
// batch; the caller of Run gets those that hold at the end.
func TestDesk(t *testing.T) {
	q := NewQueue(8)
	one, two := &fake{}, &fake{}
	var found []string
	readings := 0
	d := &Desk{
		Queue: q, Tree: diagnosis.New(diagnosis.Config{Window: time.Second}), Exporters: []Exporter{one, two},
		Kernel: func(k *capture.Kernel) error { readings++; return nil }, KernelEvery: 3 * time.Second,
		Facts: diagnosis.CaptureFacts{Live: true},
		Found: func(fs []diagnosis.Finding) {
			for _, f := range fs {
				found = append(found, f.ID+" "+f.State.String())
			}
		},
	}
	epoch := capture.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	lost := q.Empty()
	lost.Lost().Observations = 9
	q.Put(lost) // a batch without a snapshot is handed on as it is
	for i := range 4 {
		q.Put(refused(q, epoch.Add(time.Duration(i)*time.Second), false))
	}
	q.Put(refused(q, epoch.Add(4*time.Second), true))
	q.Close()
	final := d.Run()

	if one.seen[0] != "Lost" || one.batches != 6 || !reflect.DeepEqual(one.seen, two.seen) {
		t.Errorf("exporters differ or miss something:\n%q\n%q", one.seen, two.seen)
	}
	count := 0
	for _, s := range one.seen {
		if s == "ConnFailed" {
			count++
		}
	}
	if count != 20 {
		t.Errorf("%d of 20 ConnFailed were exported", count)
	}
	if readings != 3 { // at 0 s, 3 s, and at the end
		t.Errorf("the kernel was read %d times", readings)
	}
	if !slices.Contains(found, "NET-SYN-02 raised") || !slices.Contains(one.seen, "NET-SYN-02 raised") {
		t.Errorf("found %q, exported %q: the refused connects are missing", found, one.seen)
	}
	for _, f := range found {
		if !slices.Contains(one.seen, f) {
			t.Errorf("%s was told and not exported", f)
		}
	}
	ids := []string{}
	for _, f := range final {
		ids = append(ids, f.ID)
	}
	if !slices.Contains(ids, "NET-SYN-02") {
		t.Errorf("at the end hold %q", ids)
	}
	if d.Report.Useful || !strings.Contains(d.Report.Text, "NET-SYN-02") {
		t.Errorf("summary: %+v", d.Report)
	}
}

// TestDeskTellsOfExports: what exporters say of themselves is evidence.
func TestDeskTellsOfExports(t *testing.T) {
	q := NewQueue(16)
	x := &fake{health: diagnosis.ExportHealth{
		Exporter: "otlp", Signal: "traces", Endpoint: "http://collector:4318", Protocol: "http/protobuf", Created: 10, Queued: 10, Failing: true, LastError: "connection refused",
	}}
	d := &Desk{Queue: q, Tree: diagnosis.New(diagnosis.Config{Window: time.Second}), Exporters: []Exporter{x}, Facts: diagnosis.CaptureFacts{Live: true}}
	epoch := capture.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range 14 { // the leaf waits ten seconds
		q.Put(refused(q, epoch.Add(time.Duration(i)*time.Second), false))
	}
	q.Close()
	d.Run()
	if !slices.Contains(x.seen, "EXP-01 raised") {
		t.Errorf("exported %q: nothing says that the collector is away", x.seen)
	}
	if h := d.Health(); len(h) != 1 || h[0].LastError != "connection refused" {
		t.Errorf("Health: %+v", h)
	}
}

// TestKernelFails: a kernel that cannot be read is left out, and asked again.
// TestDeniedIsSaidOnce: a run that may not capture ends at once, and its finding
// is exported once, though the end of the run returns it as well.
func TestDeniedIsSaidOnce(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"PERM-01 raised"}},
		{20 * time.Millisecond, []string{"PERM-01 raised"}},
		{2 * time.Second, []string{"PERM-01 raised", "PERM-01 holding"}},
	} {
		q, f := NewQueue(4), &fake{}
		d := Desk{Queue: q, Tree: diagnosis.New(diagnosis.Config{}), Exporters: []Exporter{f},
			Facts: diagnosis.CaptureFacts{Live: true, Err: syscall.EPERM}}
		for i, at := range []capture.Time{1e9, capture.Time(1e9).Add(tt.after)} {
			b := q.Empty()
			b.HasSnapshot, b.Snapshot.Time, b.Snapshot.Final = true, at, i == 1
			q.Put(b)
		}
		q.Close()
		final := d.Run()
		if !slices.Equal(f.seen, tt.want) {
			t.Errorf("after %v: exported %q, want %q", tt.after, f.seen, tt.want)
		}
		if len(final) != 1 || !strings.Contains(d.Report.Text, "PERM-01") {
			t.Errorf("after %v: the end returns %v, and says %q", tt.after, final, d.Report.Text)
		}
	}
}

func TestKernelFails(t *testing.T) {
	q := NewQueue(8)
	readings := 0
	d := &Desk{
		Queue: q, Tree: diagnosis.New(diagnosis.Config{}), Exporters: nil,
		Kernel: func(*capture.Kernel) error { readings++; return errors.New("no /proc") },
	}
	for i := range 3 {
		q.Put(refused(q, capture.Time(i+1), i == 2))
	}
	q.Close()
	d.Run()
	if readings != 3 || d.hasKernel {
		t.Errorf("%d readings, hasKernel %v", readings, d.hasKernel)
	}
}

// TestCoverage: 80 of the 100 segments that the kernel counted were captured.
func TestCoverage(t *testing.T) {
	q := NewQueue(8)
	var arrived uint64
	d := &Desk{
		Queue: q, Tree: diagnosis.New(diagnosis.Config{Window: time.Second}), KernelEvery: time.Second, Facts: diagnosis.CaptureFacts{Live: true},
		Kernel: func(k *capture.Kernel) error {
			k.Known |= capture.KnownTCP
			k.TCP.InSegs = arrived
			arrived += 100
			return nil
		},
	}
	if _, ok := d.Coverage(); ok {
		t.Error("a share before the kernel was read")
	}
	epoch := capture.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range 2 {
		b := q.Empty()
		b.HasSnapshot = true
		b.Snapshot.Time = epoch.Add(time.Duration(i) * time.Second)
		b.Snapshot.Source.Interfaces = []capture.Interface{{Name: "eth0", Up: true}}
		traffic := make([]capture.InterfaceTraffic, 1)
		traffic[0][capture.Receive][capture.TCP][capture.IPv4].Packets = uint64(80 * i)
		b.Snapshot.Interfaces = traffic
		q.Put(b)
	}
	q.Close()
	d.Run()
	if share, ok := d.Coverage(); !ok || share != 0.8 {
		t.Errorf("coverage %v, %v", share, ok)
	}
}

// TestShutdown: all exporters end at the same time, within one deadline, and
// each error is told.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		broken := errors.New("broken")
		d := &Desk{Exporters: []Exporter{
			&fake{shutdown: slow}, &fake{shutdown: slow}, &fake{shutdown: func(context.Context) error { return broken }}, &fake{},
		}}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		began := time.Now()
		err := d.Shutdown(ctx)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		if !errors.Is(err, broken) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if err := (&Desk{Exporters: []Exporter{&fake{}}}).Shutdown(ctx); err != nil {
			t.Errorf("error %v where all ended well", err)
		}
	})
}

// TestMute: an endpoint that answers no more is told to the tree.
func TestMute(t *testing.T) {
	d := Desk{Facts: diagnosis.CaptureFacts{Endpoint: "127.0.0.1:19464"}}
	if in := d.input(new(capture.Snapshot)); in.Capture.EndpointErr != nil {
		t.Fatalf("%v", in.Capture.EndpointErr)
	}
	why := errors.New("accept: too many open files")
	d.Mute(why)
	if in := d.input(new(capture.Snapshot)); in.Capture.EndpointErr != why {
		t.Errorf("%v, want %v", in.Capture.EndpointErr, why)
	}
}
