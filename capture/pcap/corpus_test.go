package pcap

import (
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// exceptions lists the captures whose packet count in the index is not that of
// their packets. (No capture of the corpus is damaged; TestDamage makes its own.)
var exceptions = map[string]struct {
	packets int
	why     string
}{
	"gopacket/pcapgo/tests/le/test102.pcapng": {5, "the index counts 3 custom blocks, as tshark shows them; capinfos counts 5 packets"},
	"gopacket/pcapgo/tests/le/test202.pcapng": {8, "the index counts 3 custom blocks, as tshark shows them; capinfos counts 8 packets"},
}

// index returns the shared captures' folder and their packet counts by name.
func index(t testing.TB) (dir string, packets map[string]string) {
	dir = capturetest.Shared(t)
	b, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	packets = make(map[string]string)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		packets[f[0]] = f[7]
	}
	return dir, packets
}

// readAll returns the number of frames of a file and a hash of all that they say.
func readAll(s capture.Source) (n int, sum uint64, err error) {
	h := fnv.New64a()
	var f capture.Frame
	for {
		if err := s.Next(&f); err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, h.Sum64(), err
		}
		n++
		h.Write(strconv.AppendInt(nil, int64(f.Time), 10))
		h.Write(strconv.AppendInt(nil, int64(f.WireLen), 10))
		h.Write([]byte{byte(f.Link), byte(f.Link >> 8), byte(f.Interface), byte(f.Direction)})
		h.Write(f.Data)
	}
}

func TestCorpusCounts(t *testing.T) {
	dir, packets := index(t)
	for name, want := range packets {
		t.Run(name, func(t *testing.T) {
			s, err := Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			n, sum, err := readAll(s)
			if err != nil {
				t.Errorf("after %d packets: %v", n, err)
			}
			if e, ok := exceptions[name]; ok {
				want = strconv.Itoa(e.packets)
			}
			if strconv.Itoa(n) != want {
				t.Errorf("read %d packets, want %s", n, want)
			}
			again, err := Open(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if n2, sum2, _ := readAll(again); n2 != n || sum2 != sum {
				t.Errorf("a second reading gave %d packets, hash %x; the first %d, %x", n2, sum2, n, sum)
			}
		})
	}
}
