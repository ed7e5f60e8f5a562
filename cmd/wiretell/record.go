package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter/record"
)

// recordFlags are the settings of --record.
type recordFlags struct {
	dir     string
	all     bool
	payload bool
	memory  int
	follow  time.Duration
	files   int
	bytes   int
	age     time.Duration
}

func (r *recordFlags) add(f *pflag.FlagSet) {
	f.StringVar(&r.dir, "record", "", "write the packets of each connection with an error (of those that --select selects) to a capture file in this `directory`")
	f.BoolVar(&r.all, "record-all", false, "write all packets to --record, in files that follow each other")
	f.BoolVar(&r.payload, "record-payload", false, "record payload too, with whatever secrets it holds; by default headers only")
	f.IntVar(&r.memory, "record-memory", record.DefaultMemory, "`bytes` of the latest packets that are remembered for --record, and as many for files in the making")
	f.DurationVar(&r.follow, "record-follow", record.DefaultFollow, "how long a connection is recorded after its latest error")
	f.IntVar(&r.files, "record-files", 100, "most files kept in --record, a `number`; the oldest go first")
	f.IntVar(&r.bytes, "record-bytes", 100<<20, "most `bytes` of files kept in --record")
	f.DurationVar(&r.age, "record-age", 7*24*time.Hour, "how long a file is kept in --record; 0 for ever")
}

// check reports settings that cannot be meant.
func (r *recordFlags) check() error {
	switch {
	case r.dir == "" && (r.all || r.payload):
		return &exitError{code: exitUsage, err: fmt.Errorf("--record-all and --record-payload need --record"), hint: "--record DIRECTORY says where to"}
	case r.memory < record.MinMemory || r.memory > record.MaxMemory:
		return usagef("--record-memory must be from %d to %d", record.MinMemory, record.MaxMemory)
	case r.follow < 0:
		return usagef("--record-follow must not be negative")
	case r.files < 1:
		return usagef("--record-files must be greater than 0")
	case r.bytes < r.memory/4:
		return usagef("--record-bytes must be at least a quarter of --record-memory, which a file may reach")
	case r.age < 0:
		return usagef("--record-age must not be negative")
	}
	return nil
}

// record adds the recorder to the pipeline, when one is asked for. Privileges
// that would let it write where it may not later must have been dropped.
func (p *pipeline) record(src capture.Source) error {
	f := &p.flags.record
	if f.dir == "" {
		return nil
	}
	selection, err := p.flags.selector() // one of its own: it is used on another goroutine
	if err != nil {
		return err
	}
	follow := f.follow
	if follow == 0 {
		follow = -1
	}
	r, err := record.New(record.Config{
		Dir: f.dir, Source: src, Select: selection, All: f.all, Payload: f.payload, Memory: f.memory, Follow: follow,
		Files: f.files, Bytes: int64(f.bytes), Age: f.age, Wait: !p.live,
	})
	if err != nil {
		return failed(fmt.Errorf("--record %s: %w", f.dir, cause(err)), recordHint(err))
	}
	p.observer.Recorder = r
	return nil
}

// recordHint says what helps when a directory cannot be used, "" when nothing does.
func recordHint(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "the root of a container is often read-only: mount a volume (an emptyDir) there"
	case errors.Is(err, fs.ErrPermission):
		return "it must be writable for the user that wiretell runs as, without any privilege"
	}
	return ""
}

// tellRecording says what was recorded.
func (p *pipeline) tellRecording() {
	s := &p.last.Recording
	if s.Memory == 0 {
		return
	}
	n := s.Files
	files := "files"
	if n[capture.RecordingWritten] == 1 {
		files = "file"
	}
	line := fmt.Sprintf("recorded %d %s (%d bytes) to %s", n[capture.RecordingWritten], files, s.Bytes, p.flags.record.dir)
	for _, more := range []struct {
		outcome capture.RecordingOutcome
		words   string
	}{
		{capture.RecordingDeleted, "deleted at a bound"}, {capture.RecordingFailed, "not written"},
		{capture.RecordingLimited, "left out as there were too many"}, {capture.RecordingQueueFull, "left out as the disk is too slow"},
	} {
		if n[more.outcome] > 0 {
			line += fmt.Sprintf(", %d %s", n[more.outcome], more.words)
		}
	}
	if s.LastError != "" {
		line += " (" + s.LastError + ")"
	}
	p.say("%s", line)
}
