package pipeline

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
)

// Live are the settings of a capture of this network namespace.
type Live struct {
	Interfaces []string      `mapstructure:"interface"`
	RingMiB    int           `mapstructure:"ring_mib"`
	SnapLen    int           `mapstructure:"snaplen"`
	Window     time.Duration `mapstructure:"diagnosis_window"`
	WhenDenied string        `mapstructure:"when_denied"`
	Deadline   time.Duration `mapstructure:"shutdown_timeout"`
}

// DeniedModes are the words for what is done without the permission to capture;
// the first is the default.
var DeniedModes = []string{"exit", "stay"}

// Stay is the mode that goes on without the permission, and publishes the diagnosis.
const Stay = "stay"

// DefaultLive returns the settings of one who says nothing.
func DefaultLive() Live {
	return Live{
		RingMiB: afpacket.DefaultRingBytes >> 20, SnapLen: 262144, Window: 30 * time.Second,
		WhenDenied: DeniedModes[0], Deadline: 9 * time.Second,
	}
}

// CheckLive reports settings of l that cannot be meant.
func (s *Settings) CheckLive(l *Live) error {
	if err := s.Words("when-denied", DeniedModes, l.WhenDenied); err != nil {
		return err
	}
	switch {
	case l.Window < time.Second:
		return s.mistake("diagnosis-window", " must be at least 1s")
	case l.Deadline <= 0: // what is said last would be lost each time
		return s.mistake("shutdown-timeout", " must be greater than 0")
	case l.RingMiB < 1 || l.RingMiB > afpacket.MaxRingBytes>>20:
		return s.mistake("ring-mib", " must be from 1 to %d", afpacket.MaxRingBytes>>20)
	case l.SnapLen < afpacket.DefaultHeaderBytes || int64(l.SnapLen) > math.MaxInt32:
		return s.mistake("snaplen", " must be from %d to %d", afpacket.DefaultHeaderBytes, math.MaxInt32)
	case len(l.Interfaces) > afpacket.MaxInterfaces:
		return s.mistake("interface", ": more than %d are named", afpacket.MaxInterfaces)
	}
	for i, name := range l.Interfaces {
		if name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n") {
			return s.mistake("interface", ": %q is no interface name", name)
		}
		if slices.Contains(l.Interfaces[:i], name) {
			return s.mistake("interface", ": %s is named twice", name)
		}
	}
	return nil
}

// Open opens the capture and sets p up for it. What it learns goes into the
// desk's facts. Without an error src is nil when the capture could not be
// opened: Facts.Err says why. What is left to do for src is to close it.
func (p *Pipeline) Open(s *Settings, l *Live) (src *afpacket.Source, err error) {
	p.Live, p.Deadline = true, l.Deadline
	cfg, prog, err := s.Observer(capture.LinkEthernet)
	if err != nil {
		return nil, err
	}
	cfg.SnapshotEvery = time.Second
	p.Observer = cfg
	ring := afpacket.Config{Interfaces: l.Interfaces, RingBytes: l.RingMiB << 20, SnapLen: l.SnapLen, EachBlock: p.EachBlock}
	facts := &p.Desk.Facts
	facts.Live, facts.Interfaces, facts.RingAsked, facts.Snaplen = true, l.Interfaces, l.RingMiB<<20, l.SnapLen
	facts.Own, facts.Selection = &p.Own, s.Select
	if prog != nil {
		ring.Filter = prog.Raw()
		facts.FilterExpr, facts.FilterPorts = prog.Expr(), FilterPorts(prog)
	}
	p.Desk.Tree = diagnosis.New(diagnosis.Config{Window: l.Window})
	p.Desk.Kernel = netns.NewReader(netns.Options{}).Read
	p.Desk.KernelEvery = min(l.Window, 10*time.Second)
	p.Desk.Look()
	src, facts.Err = afpacket.Open(ring)
	if ring.Filter != nil && errors.Is(facts.Err, afpacket.ErrFilter) {
		// The spine filters what the kernel does not.
		ring.Filter, facts.FilterErr = nil, facts.Err
		src, facts.Err = afpacket.Open(ring)
	}
	if facts.Err != nil {
		return nil, nil
	}
	facts.RingGot = src.RingBytes()
	for _, n := range src.Notes() {
		if n.Kind == afpacket.NoteInterfaceMissing {
			facts.Missing = append(facts.Missing, n.Interface)
		}
	}
	return src, nil
}

// Blind is a source that has no frame, only the time: it keeps the diagnosis
// going where nothing can be captured.
type Blind struct {
	told bool
	once sync.Once
	end  chan struct{}
}

// NewBlind returns one that goes on until [Blind.Stop].
func NewBlind() *Blind { return &Blind{end: make(chan struct{})} }

// Next implements capture.Source.
func (s *Blind) Next(f *capture.Frame) error {
	f.Time = capture.TimeOf(time.Now())
	if !s.told { // the time, before anything else
		s.told = true
		return capture.ErrIdle
	}
	select {
	case <-s.end:
		return io.EOF
	case <-time.After(time.Second):
		return capture.ErrIdle
	}
}

// Stats implements capture.Source.
func (s *Blind) Stats(st *capture.SourceStats) {
	st.Interfaces, st.Rings = st.Interfaces[:0], st.Rings[:0]
}

// Stop makes Next return io.EOF.
func (s *Blind) Stop() { s.once.Do(func() { close(s.end) }) }

// Close implements capture.Source.
func (s *Blind) Close() error { s.Stop(); return nil }
