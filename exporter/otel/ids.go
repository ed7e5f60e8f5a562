package otel

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"github.com/wiretell/wiretell/capture"
)

// idSource makes trace and span ids: random ones, or, where the output must be
// the same for the same input, ones that are a hash of the exchange.
type idSource struct {
	random *rand.ChaCha8 // nil: deterministic
	count  uint64        // exchanges so far
	buf    [80]byte
}

func newIDSource(deterministic bool) *idSource {
	if deterministic {
		return &idSource{}
	}
	var seed [32]byte
	crand.Read(seed[:]) // never fails (crypto/rand)
	return &idSource{random: rand.NewChaCha8(seed)}
}

// next returns the ids for ex: a trace id, used when no parent is on the wire,
// and the span's own.
func (s *idSource) next(ex *capture.Exchange) (traceID [16]byte, spanID [8]byte) {
	s.count++
	if s.random != nil {
		for isZero(traceID[:]) {
			binary.LittleEndian.PutUint64(traceID[:8], s.random.Uint64())
			binary.LittleEndian.PutUint64(traceID[8:], s.random.Uint64())
		}
		for isZero(spanID[:]) {
			binary.LittleEndian.PutUint64(spanID[:], s.random.Uint64())
		}
		return traceID, spanID
	}
	b := s.buf[:0]
	b = append(b, ex.Conn.Client.Addr[:]...)
	b = append(b, ex.Conn.Server.Addr[:]...)
	b = binary.BigEndian.AppendUint16(b, ex.Conn.Client.Port)
	b = binary.BigEndian.AppendUint16(b, ex.Conn.Server.Port)
	b = binary.BigEndian.AppendUint64(b, uint64(ex.Conn.Start))
	b = binary.BigEndian.AppendUint64(b, ex.Conn.ID)
	b = binary.BigEndian.AppendUint64(b, uint64(ex.RequestStart))
	b = binary.BigEndian.AppendUint64(b, uint64(ex.ResponseStart))
	b = binary.BigEndian.AppendUint64(b, s.count)
	sum := sha256.Sum256(b)
	copy(traceID[:], sum[:16])
	copy(spanID[:], sum[16:24])
	return traceID, spanID
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
