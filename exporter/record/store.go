package record

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// bounds of a store; 0 is none.
type bounds struct {
	files int
	bytes int64
	age   time.Duration
	queue int // bytes that wait to be written
}

// store writes files into a directory on a goroutine of its own, and keeps the
// directory within its bounds.
type store struct {
	dir    string
	bounds bounds
	lock   *os.File // holds the directory
	pool   sync.Pool
	wake   chan struct{} // something waits
	room   chan struct{} // something was written
	done   chan struct{} // nothing follows
	ended  chan struct{} // the goroutine has

	mu      sync.Mutex // guards what follows
	queue   []waiting
	waiting int // bytes in queue, and of the file that is being written
	totals  capture.Recording

	held  []held // oldest first; the goroutine's
	bytes int64  // of held
}

type waiting struct {
	name string
	buf  *bytes.Buffer
}

// held is a file in the directory that wiretell wrote.
type held struct {
	name    string
	size    int64
	written time.Time
}

const temporary = ".tmp"

// ours is what the names of wiretell's files look like; see name.
var ours = regexp.MustCompile(`^wiretell_\d{8}T\d{6}\.\d{9}Z_[-_.0-9A-Za-z]+\.pcapng$`)

// openStore makes the directory, only for its owner, or takes one that is there.
func openStore(dir string, b bounds) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &store{dir: dir, bounds: b, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	s.pool.New = func() any { return new(bytes.Buffer) }
	var err error
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := s.survey(); err != nil {
		s.unlock()
		return nil, err
	}
	go s.run()
	return s, nil
}

func (s *store) unlock() {
	if s.lock != nil {
		s.lock.Close()
	}
}

// survey tries whether the directory can be written, removes files that an
// earlier run did not finish, and learns which ones are wiretell's.
func (s *store) survey() error {
	probe, err := os.CreateTemp(s.dir, ".wiretell-*"+temporary)
	if err != nil {
		return err
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return err
	}
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		name := e.Name()
		path := filepath.Join(s.dir, name)
		if unfinished := filepath.Ext(name) == temporary && ours.MatchString(name[:len(name)-len(temporary)]); unfinished && e.Type().IsRegular() {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if !ours.MatchString(name) || !e.Type().IsRegular() || !written(path) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		s.held = append(s.held, held{name, info.Size(), info.ModTime()})
		s.bytes += info.Size()
	}
	slices.SortFunc(s.held, func(a, b held) int {
		return cmp.Or(a.written.Compare(b.written), cmp.Compare(a.name, b.name))
	})
	s.keep(0)
	return nil
}

// written reports whether a file begins as those that wiretell writes: a pcapng
// section whose application is "wiretell".
func written(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [40]byte
	n, _ := f.Read(head[:])
	return bytes.HasPrefix(head[:n], []byte("\n\r\r\n")) && bytes.Contains(head[:n], []byte("wiretell"))
}

// buffer returns an empty buffer for put.
func (s *store) buffer() *bytes.Buffer {
	b := s.pool.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

// put hands a whole file over; the store owns buf from then on. Unless it may
// wait, it reports false, and keeps nothing, where too much waits already.
func (s *store) put(name string, buf *bytes.Buffer, wait bool) bool {
	s.mu.Lock()
	for s.waiting > 0 && s.waiting+buf.Len() > s.bounds.queue {
		if !wait {
			s.mu.Unlock()
			s.pool.Put(buf)
			return false
		}
		s.mu.Unlock()
		<-s.room
		s.mu.Lock()
	}
	s.queue = append(s.queue, waiting{name, buf})
	s.waiting += buf.Len()
	s.mu.Unlock()
	signal(s.wake)
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what waits until close, and sees to the age of what is there.
func (s *store) run() {
	defer close(s.ended)
	defer s.unlock()
	aging := time.NewTicker(time.Minute)
	defer aging.Stop()
	for last := false; !last; {
		select {
		case <-s.wake:
		case <-aging.C:
			s.keep(0)
		case <-s.done:
			last = true
		}
		for s.one() {
		}
	}
}

// one writes the file that waits longest, and reports false when none does.
func (s *store) one() bool {
	s.mu.Lock()
	if len(s.queue) == 0 {
		s.mu.Unlock()
		return false
	}
	w := s.queue[0]
	s.queue = slices.Delete(s.queue, 0, 1)
	s.mu.Unlock()

	n := w.buf.Len()
	s.forget(w.name) // the same capture was read before
	s.keep(int64(n))
	err := s.write(w.name, w.buf.Bytes())
	if err == nil {
		s.held = append(s.held, held{w.name, int64(n), time.Now()})
		s.bytes += int64(n)
	}
	s.pool.Put(w.buf)

	s.mu.Lock()
	if err == nil {
		s.totals.Files[capture.RecordingWritten]++
		s.totals.Bytes += uint64(n)
	} else {
		s.totals.Files[capture.RecordingFailed]++
		s.totals.LastError = reason(err)
	}
	s.waiting -= n
	s.mu.Unlock()
	signal(s.room)
	return true
}

// reason is the system's word for what went wrong: paths say nothing new.
func reason(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return err.Error()
}

// write makes a file that is whole whenever it has its name.
func (s *store) write(name string, data []byte) error {
	path := filepath.Join(s.dir, name)
	_ = os.Remove(path + temporary) // of a write that failed
	f, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		_ = os.Remove(path + temporary)
	}
	return err
}

// forget takes a file out of the books that is about to be written again.
func (s *store) forget(name string) {
	if i := slices.IndexFunc(s.held, func(h held) bool { return h.name == name }); i >= 0 {
		s.bytes -= s.held[i].size
		s.held = slices.Delete(s.held, i, i+1)
	}
}

// keep deletes the oldest files until one of so many bytes has room, 0 being
// none, and those that are too old.
func (s *store) keep(room int64) {
	b, now := &s.bounds, time.Now()
	more := 0
	if room > 0 {
		more = 1
	}
	var deleted uint64
	for len(s.held) > 0 {
		h := &s.held[0]
		if (b.files == 0 || len(s.held)+more <= b.files) && (b.bytes == 0 || s.bytes+room <= b.bytes) && (b.age == 0 || now.Sub(h.written) <= b.age) {
			break
		}
		// What cannot be deleted is no longer counted on: others go in its place.
		if err := os.Remove(filepath.Join(s.dir, h.name)); err == nil {
			deleted++
		}
		s.bytes -= h.size
		s.held = slices.Delete(s.held, 0, 1)
	}
	if deleted > 0 {
		s.mu.Lock()
		s.totals.Files[capture.RecordingDeleted] += deleted
		s.mu.Unlock()
	}
}

// stats adds what the store did to s.
func (s *store) stats(to *capture.Recording) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, n := range s.totals.Files {
		to.Files[i] += n
	}
	to.Bytes += s.totals.Bytes
	to.LastError = s.totals.LastError
}

// close writes what waits, and gives up after within, if that is not 0: what is
// still to be written counts as failed then.
func (s *store) close(within time.Duration) {
	close(s.done)
	if within == 0 {
		<-s.ended
		return
	}
	select {
	case <-s.ended:
	case <-time.After(within):
		s.mu.Lock()
		s.totals.Files[capture.RecordingFailed] += uint64(len(s.queue))
		s.totals.LastError = fmt.Sprintf("not written within %v", within)
		s.queue = nil
		s.mu.Unlock()
	}
}
