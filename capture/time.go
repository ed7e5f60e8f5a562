package capture

import "time"

// Time is an instant in nanoseconds since the Unix epoch, UTC, as the capture
// stamped it. It is an integer rather than a time.Time because every packet,
// connection and message carries several: 8 bytes without a pointer instead of
// 24 with one.
type Time int64

// TimeOf converts t, dropping any monotonic reading.
func TimeOf(t time.Time) Time { return Time(t.UnixNano()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// Sub returns the duration t-u, which is negative when the capture's clock ran
// backwards between the two.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }
