package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

// addRecord adds the settings of --record.
func addRecord(f *pflag.FlagSet, r *pipeline.Record) {
	f.StringVar(&r.Dir, "record", "", "write the packets of each connection with an error (of those that --select selects) to a capture file in this `directory`")
	f.BoolVar(&r.All, "record-all", false, "write all packets to --record, in files that follow each other")
	f.BoolVar(&r.Payload, "record-payload", false, "record payload too, with whatever secrets it holds; by default headers only")
	f.IntVar(&r.Memory, "record-memory", r.Memory, "`bytes` of the latest packets that are remembered for --record, and as many for files in the making")
	f.DurationVar(&r.Follow, "record-follow", r.Follow, "how long a connection is recorded after its latest error")
	f.IntVar(&r.Files, "record-files", r.Files, "most files kept in --record, a `number`; the oldest go first")
	f.IntVar(&r.Bytes, "record-bytes", r.Bytes, "most `bytes` of files kept in --record")
	f.DurationVar(&r.Age, "record-age", r.Age, "how long a file is kept in --record; 0 for ever")
}

// record adds the recorder to the pipeline, when one is asked for. Privileges
// that would let it write where it may not later must have been dropped.
func (p *job) record(src capture.Source) error {
	r, err := p.flags.Recorder(src, !p.Live)
	var m *pipeline.Mistake
	switch {
	case errors.As(err, &m):
		return err
	case err != nil:
		return failed(fmt.Errorf("--record %s: %w", p.flags.Record.Dir, cause(err)), recordHint(err))
	case r != nil: // a nil *record.Recorder is no nil interface
		p.Observer.Recorder = r
	}
	return nil
}

// recordHint says what helps when a directory cannot be used, "" when nothing does.
func recordHint(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "the root of a container is often read-only: mount a volume (an emptyDir) there"
	case errors.Is(err, fs.ErrPermission):
		return "it must be writable for the user that wiretell runs as, without any privilege"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return "there is a file of that name, or on the way: name a directory, which is made if need be"
	}
	return ""
}

// tellRecording says what was recorded.
func (p *job) tellRecording() {
	s := &p.Last.Recording
	if s.Memory == 0 {
		return
	}
	n := s.Files
	files := "files"
	if n[capture.RecordingWritten] == 1 {
		files = "file"
	}
	line := fmt.Sprintf("recorded %d %s (%d bytes) to %s", n[capture.RecordingWritten], files, s.Bytes, p.flags.Record.Dir)
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
