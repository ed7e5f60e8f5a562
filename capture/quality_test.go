package capture

import (
	"testing"
	"time"
)

func TestQualitySince(t *testing.T) {
	const ms = uint64(time.Millisecond)
	begin := Quality{RTTSum: [2]uint64{10 * ms, 40 * ms}, RTTs: [2]uint32{2, 2}, Resent: 1<<32 - 1, ResentBytes: 1<<32 - 100}
	now := Quality{RTTSum: [2]uint64{10 * ms, 130 * ms}, RTTs: [2]uint32{2, 5}, Resent: 1, ResentBytes: 1<<33 + 1400}
	for _, tt := range []struct {
		role Role
		rtt  time.Duration
	}{
		{RoleServer, 30 * time.Millisecond}, // within the exchange
		{RoleClient, 5 * time.Millisecond},  // nothing was measured in it
		{RoleUnknown, 30 * time.Millisecond},
	} {
		want := Path{RTT: tt.rtt, Retransmits: 2, RetransmitBytes: 1<<32 + 1500}
		if got := now.Since(&begin, tt.role); got != want {
			t.Errorf("role %v: %+v, want %+v", tt.role, got, want)
		}
	}
	if got := new(Quality).Since(&Quality{}, RoleServer); got != (Path{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// TestConnect: a handshake that is out of all proportion does not begin anew.
func TestConnect(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0: 0, -time.Second: 0, 1234567890 * time.Nanosecond: 1234567800 * time.Nanosecond, time.Hour: 429_496_729_500 * time.Nanosecond,
	} {
		var q Quality
		if q.Connected(d); q.Connect() != want {
			t.Errorf("%v is kept as %v, want %v", d, q.Connect(), want)
		}
	}
}
