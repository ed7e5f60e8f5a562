package capture

// RecordingOutcome is what became of a file that was to be recorded.
type RecordingOutcome uint8

const (
	// RecordingWritten: it is whole, under its name.
	RecordingWritten RecordingOutcome = iota
	// RecordingDeleted: it was written, and deleted later at a bound of the directory.
	RecordingDeleted
	// RecordingFailed: the directory did not take it.
	RecordingFailed
	// RecordingLimited: too many errors in a short time; it was not begun.
	RecordingLimited
	// RecordingQueueFull: the disk is slower than the errors; it was let go.
	RecordingQueueFull
	NumRecordingOutcomes
)

// String returns "written", "deleted", "write_failed", "rate_limited" or "queue_full".
func (r RecordingOutcome) String() string {
	return [...]string{"written", "deleted", "write_failed", "rate_limited", "queue_full"}[r]
}

// Recording is what recording packets came to since the start.
type Recording struct {
	Files [NumRecordingOutcomes]uint64
	// Bytes were written to the files that are counted as written.
	Bytes uint64
	// Ended counts files that ended before their time, as they or all that are
	// in the making became too large, or too many.
	Ended uint64
	// Missing counts packets of recorded connections that had been overwritten in
	// memory before the error came, or were too much for a file.
	Missing uint64
	// Memory is the most bytes that packets in memory and files in the making take; 0
	// where nothing is recorded.
	Memory int
	// LastError says why the last file that failed did.
	LastError string
}
