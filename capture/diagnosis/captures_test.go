package diagnosis_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/capture/pcap"
)

// diagnose runs the spine and the tree over a capture file.
func diagnose(t *testing.T, path string) (diagnosis.Input, []diagnosis.Finding) {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	return diagnoseSource(filepath.Base(path), src)
}

// diagnoseSource does so over any source.
func diagnoseSource(name string, src capture.Source) (diagnosis.Input, []diagnosis.Finding) {
	tree := diagnosis.New(diagnosis.Config{})
	batch := new(capture.Batch)
	o := observer.New(observer.Config{
		Empty: func() *capture.Batch { batch.Reset(); return batch },
		Offer: func(b *capture.Batch) bool {
			for _, ob := range b.Observations {
				tree.Observe(ob)
			}
			return true
		},
	}, src)
	snap := new(capture.Snapshot)
	in := diagnosis.Input{Snapshot: snap, Capture: diagnosis.CaptureFacts{File: name, Err: o.Run()}}
	o.Counters().CopyTo(snap)
	src.Stats(&snap.Source)
	return in, tree.Final(0, in)
}

// TestCaptures diagnoses every shared capture: one that holds no HTTP message
// has a reason, whatever it is, and no sentence lacks a number.
func TestCaptures(t *testing.T) {
	dir := capturetest.Shared(t)
	files, useful := 0, 0
	for _, name := range capturetest.Captures(t) {
		t.Run(name, func(t *testing.T) {
			in, findings := diagnose(t, filepath.Join(dir, name))
			s := diagnosis.Summarize(in, findings)
			if files++; s.Useful {
				useful++
			}
			if strings.Contains(s.Text, "(not known)") || strings.Contains(s.Text, "{{") {
				t.Errorf("a sentence lacks something:\n%s", s.Text)
			}
			if s.Useful != (in.Snapshot.Ledger[capture.RequestsSeen]+in.Snapshot.Ledger[capture.ResponsesSeen] > 0) {
				t.Errorf("useful %v", s.Useful)
			}
			if !s.Useful && strings.Contains(s.Text, "No leaf of the tree explains") {
				t.Errorf("nothing useful was seen, and no reason is given:\n%s", s.Text)
			}
			for _, f := range findings {
				if f.ID == "OK-00" && s.Worst > diagnosis.Info {
					t.Errorf("healthy, and yet:\n%s", s.Text)
				}
			}
			t.Log(s.Text)
		})
	}
	if files < 10 || useful == 0 {
		t.Errorf("%d captures, %d with messages", files, useful)
	}
}
