package diagnosis

import "testing"

// TestOverIPv6: the remedy keeps what the user asked for, and lets IPv6 through.
func TestOverIPv6(t *testing.T) {
	for _, tt := range []struct {
		expr  string
		ports []uint16
		want  string
	}{
		{"ip", nil, "(ip or ip6)"},
		{"ip and tcp port 80", []uint16{80}, "(ip or ip6) and tcp port 80"},
		{"tcp port 80 and ip", []uint16{80}, "tcp port 80 and (ip or ip6)"},
		{"tcp&&(ip)", nil, "tcp&&((ip or ip6))"},
		{"ip host 10.0.0.1 and tcp port 80", []uint16{80}, "(ip host 10.0.0.1 and tcp port 80) or (ip6 and tcp and (port 80))"},
		{"ip proto 6", nil, "(ip proto 6) or (ip6 and tcp)"},
		{"ip net 10.0.0.0/8 and port 80 or 81", []uint16{80, 81}, "(ip net 10.0.0.0/8 and port 80 or 81) or (ip6 and tcp and (port 80 or port 81))"},
		{"not ip and port 80", []uint16{80}, "(not ip and port 80) or (ip6 and tcp and (port 80))"},
	} {
		v := &view{Input: Input{Capture: CaptureFacts{FilterExpr: tt.expr, FilterPorts: tt.ports}}}
		if got := v.overIPv6(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.expr, got, tt.want)
		}
	}
}
