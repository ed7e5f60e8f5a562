package otel

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// finding fills in lr with f. It keeps nothing of f.
func (b *eventBuilder) finding(lr plog.LogRecord, f *diagnosis.Finding) int {
	event := eventDiagnosis
	event.Severity = severityOf(f.Severity)
	r := b.begin(lr, &event, f.At, safe(f.Body, false))
	r.a.EnsureCapacity(20 + len(f.Evidence))
	r.a.str(semconv.DiagnosisID, f.ID)
	r.a.str(semconv.DiagnosisTitle, safe(f.Title, false))
	r.a.str(semconv.DiagnosisState, f.State.String())
	r.a.str(semconv.DiagnosisSeverity, f.Severity.String())
	r.a.str(semconv.DiagnosisConfidence, f.Confidence.String())
	r.a.strs(semconv.DiagnosisPath, f.Path)
	r.a.strs(semconv.DiagnosisCaveats, f.Caveats)
	if f.Since != 0 {
		r.a.str(semconv.DiagnosisSince, f.Since.Std().Format(time.RFC3339Nano))
	}
	for _, e := range f.Evidence {
		r.evidence(semconv.DiagnosisEvidence+"."+safe(e.Key, false), e.Value)
	}
	r.a.str(semconv.RemediationSummary, safe(f.Remedy.Summary, true))
	r.a.str(semconv.RemediationCommand, safe(f.Remedy.Command, true))
	r.a.str(semconv.RemediationManifest, safe(f.Remedy.Manifest, true))
	r.a.str(semconv.RemediationURL, safe(f.Remedy.URL, false))
	r.a.str(semconv.NetworkInterfaceName, safe(f.Subject.Interface, false))
	if f.Subject.Port != 0 {
		r.a.int(semconv.ServerPort, int64(f.Subject.Port))
	}
	r.a.str(semconv.NetworkIODirection, direction(f.Subject.Direction))
	if f.Subject.Peer.IsValid() {
		r.a.str(semconv.NetworkPeerAddress, f.Subject.Peer.String())
	}
	return r.a.bytes
}

// evidence puts v under its own type. Words in it can come from the wire.
func (r *record) evidence(key string, v any) {
	switch v := v.(type) {
	case int64:
		r.a.int(key, v)
	case int:
		r.a.int(key, int64(v))
	case uint64:
		r.a.int(key, int64(v))
	case float64:
		r.a.double(key, v)
	case bool:
		r.a.bool(key, v)
	case string:
		r.a.str(key, safe(v, false))
	default:
		r.a.str(key, safe(fmt.Sprint(v), false))
	}
}

func severityOf(s diagnosis.Severity) semconv.Severity {
	switch s {
	case diagnosis.Error:
		return semconv.SeverityError
	case diagnosis.Warning:
		return semconv.SeverityWarn
	}
	return semconv.SeverityInfo
}

// activeFindings holds which findings hold now, for the gauge.
type activeFindings map[activeKey]diagnosis.Severity

type activeKey struct {
	id      string
	subject diagnosis.Subject
}

// maxActive bounds the findings that are remembered as holding.
const maxActive = 1024

func (a activeFindings) see(f *diagnosis.Finding) {
	k := activeKey{f.ID, f.Subject}
	if f.State == diagnosis.Cleared {
		delete(a, k)
	} else if _, known := a[k]; known || len(a) < maxActive {
		a[k] = f.Severity
	}
}
