package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wiretell/wiretell/capture/diagnosis"
)

// TestConclusionIsBounded: Kubernetes keeps 4096 bytes; the error and the worst
// come first, and what is left out is marked.
func TestConclusionIsBounded(t *testing.T) {
	r := diagnosis.Report{Seen: "12 packets read"}
	for i := range 50 {
		r.Findings = append(r.Findings, diagnosis.Finding{ID: fmt.Sprintf("X-%02d", i), Severity: diagnosis.Error, Body: strings.Repeat("ä", 100), Remedy: diagnosis.Remedy{Summary: "Mend it.", Manifest: "a: 1\nb: 2\n"}})
	}
	got := conclusion(r, &exitError{code: exitFailed, err: errors.New("it broke")})
	if len(got) > maxTerminationLog || len(got) < maxTerminationLog/2 || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
	if !strings.HasPrefix(got, "it broke\n12 packets read\nerror X-00: ää") || !strings.HasSuffix(got, "  a: 1\n  b: 2\n...\n") {
		t.Errorf("%s", got)
	}
	got = conclusion(diagnosis.Report{}, errors.New(strings.Repeat("ö", 5000)))
	if len(got) > maxTerminationLog || len(got) < maxTerminationLog-20 || !utf8.ValidString(got) || !strings.HasSuffix(got, "ö\n...\n") {
		t.Errorf("%d bytes: %q", len(got), got[len(got)-20:])
	}
	if got := conclusion(diagnosis.Report{}, &exitError{code: exitUsage}); got != "" {
		t.Errorf("%q", got)
	}
}
