package capture

import "time"

// Quality is how one connection's segments came through so far. Package tcp
// keeps it up to date; a parser copies it when an exchange begins and asks with
// [Quality.Since] what happened meanwhile. Counters wrap around.
type Quality struct {
	// RTTSum and RTTs are the round trips of what each side sent: their sum in
	// nanoseconds and how many were measured.
	RTTSum [2]uint64
	// Resent counts the segments of both sides that were sent again, ResentBytes
	// their payload.
	ResentBytes uint64
	Resent      uint32
	connect     uint32 // in connectUnit
	RTTs        [2]uint32
}

// connectUnit is the resolution at which the duration of a handshake is kept;
// seven minutes are the most.
const connectUnit = 100 * time.Nanosecond

// Connected notes how long the handshake took.
func (q *Quality) Connected(d time.Duration) {
	q.connect = uint32(min(max(d, 0)/connectUnit, 1<<32-1))
}

// Connect returns how long the connection took to be established, from the first
// SYN to the ACK that completed the handshake; 0 when that was not seen.
func (q *Quality) Connect() time.Duration { return time.Duration(q.connect) * connectUnit }

// Path is what the network did during one exchange.
type Path struct {
	// RTT is the mean round-trip time between the observed end and its peer of
	// the samples that fell into the exchange; where none did, of those of the
	// connection so far. 0 when there are none.
	RTT time.Duration
	// Connect is how long the handshake took, of a connection's first exchange;
	// 0 otherwise, and when the handshake was not seen.
	Connect time.Duration
	// Retransmits counts the segments of both sides that were sent again from
	// the exchange's first byte to its last, as they were captured, and
	// RetransmitBytes their payload.
	Retransmits     int
	RetransmitBytes int64
}

// Since returns what happened since begin was copied from q. role tells which
// side's segments cross the network.
func (q *Quality) Since(begin *Quality, role Role) Path {
	side := q.Facing(role)
	p := Path{Retransmits: int(q.Resent - begin.Resent), RetransmitBytes: int64(q.ResentBytes - begin.ResentBytes)}
	sum, n := q.RTTSum[side]-begin.RTTSum[side], q.RTTs[side]-begin.RTTs[side]
	if n == 0 {
		sum, n = q.RTTSum[side], q.RTTs[side]
	}
	if n > 0 {
		p.RTT = time.Duration(sum / uint64(n))
	}
	return p
}

// Facing returns the side whose round trips are the network's: the local one's
// segments cross it and come back acknowledged. Where nobody is local, or both
// are, it is the side whose acknowledgements take longer.
func (q *Quality) Facing(role Role) Side {
	switch {
	case role == RoleServer:
		return Server
	case role == RoleClient:
		return Client
	case q.RTTs[Server] > 0 && (q.RTTs[Client] == 0 ||
		q.RTTSum[Server]/uint64(q.RTTs[Server]) > q.RTTSum[Client]/uint64(q.RTTs[Client])):
		return Server
	}
	return Client
}
