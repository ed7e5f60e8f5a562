package exporter

import (
	"context"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// Exporter takes observations and findings out of the process.
type Exporter interface {
	// Export takes b and findings, either of which may be empty. It must not
	// keep anything of them after it returns, must not wait for the network,
	// and counts what it cannot take. One goroutine calls it. Whether the
	// batch holds a snapshot tells b.HasSnapshot.
	Export(b *capture.Batch, findings []diagnosis.Finding)
	// Health appends the exporter's own figures to dst.
	Health(dst []diagnosis.ExportHealth) []diagnosis.ExportHealth
	// Shutdown sends what is queued until ctx ends, then counts the rest as
	// dropped and releases everything.
	Shutdown(ctx context.Context) error
}
