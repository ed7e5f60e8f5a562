package otel

import (
	"crypto/aes"
	"crypto/cipher"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// idSource makes trace and span ids out of the number of an exchange, so that an
// event that hits an exchange in flight has the ids of a span that is built
// later, and nothing has to be remembered in between. The ids are the number
// under a block cipher with a random key: they look random, and no two numbers
// share one. Where the output must be the same for the same input they are a
// hash of the connection and the number.
type idSource struct {
	cipher cipher.Block // nil: deterministic
	in     [aes.BlockSize]byte
	out    [aes.BlockSize]byte
	buf    [80]byte
}

func newIDSource(deterministic bool) *idSource {
	if deterministic {
		return &idSource{}
	}
	var key [16]byte
	crand.Read(key[:])                  // never fails (crypto/rand)
	block, err := aes.NewCipher(key[:]) // fails for keys of another length alone
	if err != nil {
		panic(err)
	}
	return &idSource{cipher: block}
}

// ids returns those of an exchange of connection c: a trace id, used when no
// parent is on the wire, and the id of the span.
func (s *idSource) ids(c *capture.Conn, number uint64) (traceID [16]byte, spanID [8]byte) {
	if s.cipher != nil {
		binary.LittleEndian.PutUint64(s.in[:], number)
		for ; isZero(traceID[:]); s.in[8]++ {
			s.cipher.Encrypt(s.out[:], s.in[:])
			traceID = s.out
		}
		for ; isZero(spanID[:]); s.in[8]++ {
			s.cipher.Encrypt(s.out[:], s.in[:])
			copy(spanID[:], s.out[:])
		}
		s.in[8] = 0
		return traceID, spanID
	}
	b := s.buf[:0]
	b = append(b, c.Client.Addr[:]...)
	b = append(b, c.Server.Addr[:]...)
	b = binary.BigEndian.AppendUint16(b, c.Client.Port)
	b = binary.BigEndian.AppendUint16(b, c.Server.Port)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Start))
	b = binary.BigEndian.AppendUint64(b, c.ID)
	b = binary.BigEndian.AppendUint64(b, number)
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
