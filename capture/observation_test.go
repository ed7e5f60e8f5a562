package capture

import "testing"

func TestTLSVersions(t *testing.T) {
	for v, want := range map[uint16]string{0x0300: "SSL3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3", 0x7f12: "0x7f12", 0: ""} {
		if got := TLSVersion(v); got != want {
			t.Errorf("TLSVersion(%#x) = %q, want %q", v, got, want)
		}
	}
}
