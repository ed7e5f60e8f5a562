package main

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/pcap"
)

// standardInput is the name of standard input among files.
const standardInput = "-"

// chain reads files one after the other as one source. The spine's goroutine
// calls it, and any goroutine Stop.
type chain struct {
	files  []string // not yet opened
	base   int      // interfaces of the files before the current one
	all    []capture.Interface
	stats  capture.SourceStats
	damage error // of the files that were not read to their end

	mu      sync.Mutex // held where current changes, and by other goroutines
	current capture.Source
	name    string
	stopped bool // by Stop
	cut     bool // files were left unread by Stop
}

func newChain(files []string) *chain { return &chain{files: files} }

// begin opens the first file that can be opened, and reports whether there is one.
func (c *chain) begin() bool {
	c.open()
	return c.current != nil
}

// open goes on with the next file that can be opened; what cannot is noted in
// c.damage.
func (c *chain) open() {
	for len(c.files) > 0 {
		c.mu.Lock()
		stopped := c.stopped
		c.mu.Unlock()
		if stopped {
			return
		}
		name := c.files[0]
		src, err := pcap.Open(name)
		c.files = c.files[1:]
		if err != nil {
			c.damage = errors.Join(c.damage, fileError(name, err))
			continue
		}
		c.mu.Lock()
		c.current, c.name = src, name
		if c.stopped {
			src.Close()
		}
		c.mu.Unlock()
		return
	}
}

// fileError names the file once in an error of a system call.
func fileError(name string, err error) error {
	if short := cause(err); short != err {
		return &namedError{name: name, err: err, text: short.Error()}
	}
	return err
}

// namedError is an error of a file in few words.
type namedError struct {
	name, text string
	err        error
}

func (e *namedError) Error() string { return fmt.Sprintf("%s: %s", e.name, e.text) }
func (e *namedError) Unwrap() error { return e.err }

// link returns the link type of the first interface, Ethernet when not known.
func (c *chain) link() capture.LinkType {
	var s capture.SourceStats
	c.current.Stats(&s)
	if len(s.Interfaces) == 0 {
		return capture.LinkEthernet
	}
	return s.Interfaces[0].Link
}

// Next implements capture.Source.
func (c *chain) Next(f *capture.Frame) error {
	for c.current != nil {
		err := c.current.Next(f)
		if err == nil {
			f.Interface += uint16(c.base)
			return nil
		}
		if err != io.EOF {
			c.damage = errors.Join(c.damage, fileError(c.name, err))
		}
		c.next()
	}
	return io.EOF
}

// next closes the current file and goes on with the one after it.
func (c *chain) next() {
	c.current.Stats(&c.stats)
	c.all = append(c.all, c.stats.Interfaces...)
	c.base = len(c.all)
	c.mu.Lock()
	c.current.Close()
	c.current = nil
	c.mu.Unlock()
	c.open()
}

// Stats implements capture.Source.
func (c *chain) Stats(s *capture.SourceStats) {
	s.Rings = s.Rings[:0]
	s.Interfaces = append(s.Interfaces[:0], c.all...)
	if c.current != nil {
		c.current.Stats(&c.stats)
		s.Interfaces = append(s.Interfaces, c.stats.Interfaces...)
	}
}

// Stop makes Next return io.EOF soon.
func (c *chain) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.current != nil {
		c.cut = c.name != standardInput
		c.current.Close()
	}
}

// onInput reports whether standard input is being read.
func (c *chain) onInput() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil && c.name == standardInput
}

// unread reports whether Stop left something unread, once Next has returned
// io.EOF. Standard input has no end that could be missed.
func (c *chain) unread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut || c.stopped && len(c.files) > 0
}

// Close implements capture.Source.
func (c *chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return nil
	}
	return c.current.Close()
}
