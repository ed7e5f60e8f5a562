package otel

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is when everything in these tests happens.
var epoch = capture.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC))

func endpointOf(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

// conn returns a connection to a server on port 8080.
func conn(id uint64, role capture.Role) capture.Conn {
	return capture.Conn{
		ID: id, Role: role, Start: epoch,
		Client: endpointOf("10.0.0.1:40000"), Server: endpointOf("10.0.0.2:8080"),
	}
}

// exchange adds a whole GET, 200, of 5 ms to b.
func exchange(b *capture.Batch, role capture.Role) *capture.Exchange {
	ex := b.Exchange()
	ex.Conn, ex.Number = conn(1, role), uint64(len(b.Observations))
	ex.Protocol, ex.Version = capture.ProtocolHTTP1, 11
	ex.HasRequest = true
	ex.Method = b.Text([]byte("GET"))
	ex.Target = b.Text([]byte("/users/42?color=blue&token=s3cr3t"))
	ex.Host = b.Text([]byte("shop.example:8080"))
	ex.UserAgent = b.Text([]byte("curl/8.5.0"))
	ex.Status = 200
	ex.RequestStart = epoch
	ex.RequestEnd = epoch.Add(time.Millisecond)
	ex.ResponseStart = epoch.Add(4 * time.Millisecond)
	ex.ResponseEnd = epoch.Add(5 * time.Millisecond)
	ex.RequestBody, ex.ResponseBody = 0, 1234
	ex.RequestWire, ex.ResponseWire = 150, 1400
	return ex
}

// finding returns one with everything set.
func finding() diagnosis.Finding {
	return diagnosis.Finding{
		ID: "TLS-01", Title: "Inbound TLS", State: diagnosis.Raised, Severity: diagnosis.Warning, Confidence: diagnosis.Certain,
		Subject:  diagnosis.Subject{Interface: "eth0", Port: 8443, Direction: capture.Receive, Peer: netip.MustParseAddr("10.0.0.9")},
		Path:     []string{"can we capture? yes", "is it encrypted? yes"},
		Body:     "Port 8443 is TLS: encrypted, it cannot become spans.",
		Evidence: []diagnosis.Evidence{{Key: "hellos", Value: int64(7)}, {Key: "share", Value: 0.5}, {Key: "sni", Value: "a.example\x1b[2J"}, {Key: "ech", Value: true}},
		Remedy:   diagnosis.Remedy{Summary: "Capture behind the terminator.", Command: "kubectl get svc", Manifest: "port: 8080", URL: "https://example.org"},
		Caveats:  []string{"QUAL-01"}, At: epoch, Since: epoch,
	}
}

const parentText = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
