package otel

import (
	"io"
	"os"
	"sync"
)

// jsonFile writes OTLP JSON lines: one object per line, as the Collector's file
// exporter does. Several signals may share it.
type jsonFile struct {
	mu    sync.Mutex
	w     io.Writer
	close func() error
}

// openJSON opens path; "-" is standard output. A file that is there is written
// anew.
func openJSON(path string, w io.Writer) (*jsonFile, error) {
	nothing := func() error { return nil }
	if w != nil {
		return &jsonFile{w: w, close: nothing}, nil
	}
	if path == "-" {
		return &jsonFile{w: os.Stdout, close: nothing}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &jsonFile{w: f, close: f.Close}, nil
}

// line writes b and a newline in one call, so that lines do not mix.
func (j *jsonFile) line(b []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err := j.w.Write(append(b, '\n'))
	return err
}
