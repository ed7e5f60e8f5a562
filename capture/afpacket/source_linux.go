package afpacket

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// States of a Source.
const (
	running uint32 = iota
	stopping
	closed
)

// Source captures live; see [Open].
type Source struct {
	*sockets
	cur *ring // the ring whose block is walked

	// The interface of the last frame, as frames of one come in rows.
	lastIndex uint32
	lastSlot  uint16
	lastKnown bool

	retire time.Duration
	idling time.Duration // Config.IdleTimeout

	eachBlock func() // Config.EachBlock

	notes []Note
	state atomic.Uint32

	raw    syscall.RawConn
	poll   func(uintptr) bool // s.pollRings, bound once
	polled bool

	leaving  time.Duration // Config.LeftTimeout
	leftAt   time.Time     // when the last interface was seen to be gone
	looked   time.Time     // when news of interfaces were last looked for
	idled    bool          // the reader knows that nothing is waiting
	quieted  bool          // no more frames come, the rest is read
	deadline time.Time     // until when, at most
}

var _ capture.Source = (*Source)(nil)

// sockets is what has to be given back. It is apart from Source so that the
// runtime can do so for a Source that nobody reads to its end.
type sockets struct {
	mu     sync.Mutex // for Close against the reader that releases
	rings  []*ring
	links  *links
	epoll  *os.File
	closed bool // Close was called
	freed  bool
}

// Open begins to capture in the network namespace of the calling thread. It
// needs CAP_NET_RAW there, in the permitted set: when it is not in the effective
// set (an executable with the file capability cap_net_raw=p) it is raised for
// the time of the call. What needs it is done when Open returns.
//
// It returns a [PermissionError] when packet sockets are refused and an error
// that wraps [ErrUnsupported] where there are none.
func Open(c Config) (*Source, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("capture configuration: %w", err)
	}
	s := &Source{sockets: &sockets{}, retire: c.RetireTimeout, idling: c.IdleTimeout, leaving: c.LeftTimeout, eachBlock: c.EachBlock}
	if err := s.open(&c); err != nil {
		s.release()
		return nil, err
	}
	s.poll = s.pollRings
	runtime.AddCleanup(s, func(k *sockets) { k.release() }, s.sockets)
	return s, nil
}

func (s *Source) open(c *Config) (err error) {
	if s.links, err = openLinks(); err != nil {
		return err
	}
	if err := withNetRaw(func() error { return s.openRings(c) }); err != nil {
		return err
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	// The poller takes only files that do not block.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("epoll: %w", err)
	}
	s.epoll = os.NewFile(uintptr(fd), "packet rings")
	if s.raw, err = s.epoll.SyscallConn(); err != nil {
		return err
	}
	if err := s.epoll.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("put epoll into the network poller: %w", err)
	}
	watch := []int{s.links.fd}
	for _, r := range s.rings {
		watch = append(watch, r.fd)
	}
	for _, w := range watch {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, w, &ev); err != nil {
			return fmt.Errorf("epoll_ctl: %w", err)
		}
	}
	return s.bindRings()
}

// openRings opens the sockets that c asks for.
func (s *Source) openRings(c *Config) error {
	add := func(name, want string, refuse refusal, loopback bool, n int) error {
		r, notes, err := openRing(name, refuse, loopback, c.RingBytes/n, c)
		if err != nil {
			return err
		}
		r.want = want
		s.rings = append(s.rings, r)
		s.notes = append(s.notes, notes...)
		return nil
	}
	if n := len(c.Interfaces); n > 0 {
		for _, name := range c.Interfaces {
			index, ok := s.links.byName[name]
			loopback := ok && s.links.byIndex[index].typ == arphrdLoopback
			if err := add(name, name, refuseNothing, loopback, n); err != nil {
				return err
			}
			if !ok {
				s.notes = append(s.notes, Note{Kind: NoteInterfaceMissing, Interface: name})
			}
		}
		return nil
	}
	if err := add("any", "", refuseLoopback, false, 2); err != nil {
		return err
	}
	return add("lo", "lo", refuseNothing, true, 2)
}

// bindRings starts the capture.
func (s *Source) bindRings() error {
	for _, r := range s.rings {
		if r.want == "" {
			if err := r.bind(0); err != nil {
				return err
			}
		}
	}
	s.follow()
	return nil
}

// follow binds the sockets that want an interface to the one that has its name
// now: it may be new, or have been deleted and made again.
func (s *Source) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.quieted {
		return
	}
	for _, r := range s.rings {
		if r.want == "" {
			continue
		}
		index := int(s.links.byName[r.want])
		if index == r.bound {
			continue
		}
		if index == 0 || r.bind(index) != nil {
			r.bound = 0 // gone, or gone again: the next message tells
		}
	}
}

// Next implements capture.Source. Time stamps are the kernel's. When all that
// waited was read it returns capture.ErrIdle once, and then again whenever
// IdleTimeout passes without a frame; f.Time is then the current time, and
// frames that are up to RetireTimeout older may still come. After Close it returns
// io.EOF and has released everything; after Stop it does so when the rest is read.
// It returns ErrLeft once the namespace has lost its last way out.
// f.Data is valid until the next call.
func (s *Source) Next(f *capture.Frame) error {
	r := s.cur
	if r == nil || r.left == 0 || s.state.Load() == closed {
		if err := s.advance(f); err != nil {
			return err
		}
		r = s.cur
	}
	index, hatype := r.frame(f)
	if index != s.lastIndex || !s.lastKnown {
		s.resolve(index, hatype)
	}
	f.Interface = s.lastSlot
	return nil
}

// resolve finds the position of an interface in the table.
func (s *Source) resolve(index uint32, hatype uint16) {
	if !s.links.knows(index) {
		// The kernel tells of an interface before its first frame, so the
		// message is waiting.
		s.updateLinks()
	}
	s.lastIndex, s.lastSlot, s.lastKnown = index, s.links.find(index, hatype), true
}

// advance gives the block back that was read and takes the next one.
func (s *Source) advance(f *capture.Frame) error {
	if s.cur != nil {
		s.cur.giveBack()
		s.cur = nil
	}
	var wake time.Time
	for {
		state := s.state.Load()
		if state == closed {
			return s.end()
		}
		if state == stopping && !s.quieted {
			s.quiet()
		}
		if s.pick() {
			s.idled = false
			if s.eachBlock != nil {
				s.eachBlock()
			}
			return nil
		}
		if s.quieted && s.drained() {
			return s.end()
		}
		if !s.idled {
			return s.idle(f)
		}
		if wake.IsZero() {
			wake = time.Now().Add(s.idling)
			if s.quieted { // the kernel still hands over what it holds
				wake = time.Now().Add(s.retire)
			}
		}
		err := s.park(wake)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s.idle(f)
		case err != nil && s.state.Load() != closed:
			return fmt.Errorf("wait for frames: %w", err)
		case err == nil && !s.anyReady():
			s.updateLinks()
		}
	}
}

// pick takes the block that is ready, the one with the oldest frame first.
func (s *Source) pick() bool {
	var block []byte
	for _, r := range s.rings {
		b := r.ready()
		if b != nil && (block == nil || firstTime(b) < firstTime(block)) {
			s.cur, block = r, b
		}
	}
	if block == nil {
		return false
	}
	s.cur.take(block)
	return s.cur.left > 0 || s.skipEmpty()
}

// skipEmpty gives back a block without frames and takes the next one. The kernel
// closes no empty blocks on its own.
func (s *Source) skipEmpty() bool {
	s.cur.giveBack()
	s.cur = nil
	return s.pick()
}

func (s *Source) anyReady() bool {
	for _, r := range s.rings {
		if r.ready() != nil {
			return true
		}
	}
	return false
}

// idle sets f.Time to now, as there is no frame to tell the time. It also looks for
// news of interfaces, at most once in RetireTimeout: such a message does not wake
// a Next that is called later.
func (s *Source) idle(f *capture.Frame) error {
	s.idled = true
	now := time.Now()
	if now.Sub(s.looked) >= s.retire {
		s.looked = now
		s.updateLinks()
	}
	if s.left(now) {
		return ErrLeft
	}
	f.Time = capture.TimeOf(now)
	return capture.ErrIdle
}

// left reports whether the namespace has been without a way out for too long. It
// is asked when no frame waits: an application that still talks over loopback
// pauses, too.
func (s *Source) left(now time.Time) bool {
	switch {
	case !s.links.left:
		s.leftAt = time.Time{}
	case s.leftAt.IsZero():
		s.leftAt = now
	}
	return s.links.left && now.Sub(s.leftAt) >= s.leaving
}

// park waits until a socket wakes the poller, or the deadline passes. It
// allocates nothing.
func (s *Source) park(deadline time.Time) error {
	if err := s.epoll.SetReadDeadline(deadline); err != nil {
		return err
	}
	s.polled = false
	return s.raw.Read(s.poll)
}

// pollRings is called by the poller before it waits and after each wake-up, and
// returns whether the wait is over. The poller is edge-triggered: since the rings
// are looked at after it was armed, no wake-up by frames is lost. The epoll instance that
// it watches is never read: each wake-up of a socket passes through it.
func (s *Source) pollRings(uintptr) bool {
	state := s.state.Load()
	if s.polled || state == closed || state == stopping && !s.quieted || s.anyReady() {
		return true
	}
	s.polled = true
	return false
}

// updateLinks reads what the kernel has to tell of interfaces. Besides frames that
// is all that wakes the poller, except for the error (ENETDOWN) of a socket whose
// interface went down: it may stay, as the poller is edge-triggered and wakes once,
// and the socket captures again when the interface is up again.
func (s *Source) updateLinks() {
	if changed, _ := s.links.update(); changed {
		s.lastKnown = false
		s.follow()
	}
}

// Stats implements capture.Source. After Next returned io.EOF the figures are
// final.
func (s *Source) Stats(st *capture.SourceStats) {
	if !s.freed {
		s.updateLinks()
		for _, r := range s.rings {
			r.readStatistics()
		}
	}
	st.Interfaces = append(st.Interfaces[:0], s.links.table...)
	st.Rings = st.Rings[:0]
	for _, r := range s.rings {
		st.Rings = append(st.Rings, capture.Ring{
			Name: r.name, Packets: r.packets, Drops: r.drops, Freezes: r.freezes, Bytes: r.bytes,
		})
	}
}

// RingBytes returns the size of all rings together, which is less than asked for
// when the kernel refused it (see [Source.Notes]).
func (s *Source) RingBytes() int {
	n := 0
	for _, r := range s.rings {
		n += r.bytes
	}
	return n
}

// Notes returns what differs from what was asked for.
func (s *Source) Notes() []Note { return s.notes }

// Stop ends the capture in order: no more frames are captured, Next returns those
// that were, and then io.EOF, within twice RetireTimeout after the last. Then the
// frames read and the kernel's drops are exactly the packets that it counted.
// Stop does not wait.
func (s *Source) Stop() {
	if s.state.CompareAndSwap(running, stopping) {
		_ = s.epoll.SetReadDeadline(time.Unix(1, 0))
	}
}

// Close ends the capture at once: a waiting Next returns io.EOF, and frames that
// were not read are lost to the books. The rings are unmapped by the Next that
// returns io.EOF, since only its caller knows that no frame is in use any more.
func (s *Source) Close() error {
	s.state.Store(closed)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.freed {
		return nil
	}
	s.closed = true
	for _, r := range s.rings {
		r.quiet()
	}
	return s.epoll.Close()
}

// quiet stops the kernel from adding frames.
func (s *Source) quiet() {
	s.quieted = true
	for _, r := range s.rings {
		r.quiet()
	}
	s.deadline = time.Now().Add(2 * s.retire)
}

// drained reports whether every frame was read that the kernel counted. A block
// that is not full is handed over when it is RetireTimeout old.
func (s *Source) drained() bool {
	settled := true
	for _, r := range s.rings {
		r.readStatistics()
		settled = settled && r.settled()
	}
	return settled || time.Now().After(s.deadline)
}

// end takes the last figures, releases everything and returns io.EOF.
func (s *Source) end() error {
	s.state.Store(closed)
	if !s.freed {
		for _, r := range s.rings {
			r.readStatistics()
		}
		s.cur = nil
		s.release()
	}
	return io.EOF
}

func (k *sockets) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.freed {
		return
	}
	k.freed = true
	for _, r := range k.rings {
		r.close()
	}
	if k.links != nil {
		k.links.close()
	}
	if k.epoll != nil && !k.closed {
		_ = k.epoll.Close()
	}
}
