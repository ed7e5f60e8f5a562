package pipeline

import (
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter/record"
)

// Record are the settings that say which packets are kept in files.
type Record struct {
	Dir     string        `mapstructure:"record"` // none when empty
	All     bool          `mapstructure:"record_all"`
	Payload bool          `mapstructure:"record_payload"`
	Memory  int           `mapstructure:"record_memory"`
	Follow  time.Duration `mapstructure:"record_follow"`
	Files   int           `mapstructure:"record_files"`
	Bytes   int           `mapstructure:"record_bytes"`
	Age     time.Duration `mapstructure:"record_age"`
}

func defaultRecord() Record {
	return Record{Memory: record.DefaultMemory, Follow: record.DefaultFollow, Files: 100, Bytes: 100 << 20, Age: 7 * 24 * time.Hour}
}

func (s *Settings) checkRecord() error {
	r := &s.Record
	switch {
	case r.Dir == "" && (r.All || r.Payload):
		m := s.mistake("record-all", " and %s need %s", s.name("record-payload"), s.name("record"))
		m.Hint = s.name("record") + " DIRECTORY says where to"
		return m
	case r.Memory < record.MinMemory || r.Memory > record.MaxMemory:
		return s.mistake("record-memory", " must be from %d to %d", record.MinMemory, record.MaxMemory)
	case r.Follow < 0:
		return s.mistake("record-follow", " must not be negative")
	case r.Files < 1:
		return s.mistake("record-files", " must be greater than 0")
	case r.Bytes < r.Memory/4:
		return s.mistake("record-bytes", " must be at least a quarter of %s, which a file may reach", s.name("record-memory"))
	case r.Age < 0:
		return s.mistake("record-age", " must not be negative")
	}
	return nil
}

// Recorder returns the recorder of src, nil when none is asked for. Privileges that
// would let it write where it may not later must have been dropped. wait is
// for sources that are in no hurry.
func (s *Settings) Recorder(src capture.Source, wait bool) (*record.Recorder, error) {
	r := &s.Record
	if r.Dir == "" {
		return nil, nil
	}
	selection, err := s.Selector() // one of its own: it is used on another goroutine
	if err != nil {
		return nil, err
	}
	follow := r.Follow
	if follow == 0 {
		follow = -1
	}
	return record.New(record.Config{
		Dir: r.Dir, Source: src, Select: selection, All: r.All, Payload: r.Payload, Memory: r.Memory, Follow: follow,
		Files: r.Files, Bytes: int64(r.Bytes), Age: r.Age, Wait: wait,
	})
}
