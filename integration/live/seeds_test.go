package live

import (
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// seed is a case in which a tree that judges by totals, by the first cause that
// fits, or by its own packets alone tells something wrong, or nothing.
type seed struct {
	name  string
	args  []string // of run
	begin func(t *testing.T, p *seedPod)
	env   func(p *seedPod) []string
	want  []string // what holds at the end, and nothing else
	also  []string // what may hold, too
	says  []string // each on one line of what is said
}

// seedPod is a pod, with a client and server outside.
type seedPod struct {
	ns, world       *netnstest.NS
	inside, outside netip.Addr
}

// http lets a port of the pod answer requests from outside.
func (p *seedPod) http(t *testing.T, port uint16) {
	converse(t, p.world, p.ns, p.inside, port, request, answerHTTP)
}

// dns lets the pod look names up.
func (p *seedPod) dns(t *testing.T) {
	resolver(t, p.world, p.outside)
	var id uint16
	every(t, func() { id++; lookUp(t, p.ns, p.outside, id, "good.example.") })
}

// tls lets a port of the pod answer over TLS.
func (p *seedPod) tls(t *testing.T, port uint16) {
	go accept(listen(t, p.ns, p.inside, port), serveTLS(t))
	every(t, func() { sayTLS(p.world, p.inside, int(port)) })
}

const probe = "GET /healthz HTTP/1.1\r\nHost: app\r\nUser-Agent: kube-probe/1.34\r\nConnection: close\r\n\r\n"

func seeds() []seed {
	return []seed{
		{
			name: "a health check every second does not hide TLS on the real port",
			begin: func(t *testing.T, p *seedPod) {
				l := listen(t, p.ns, p.inside, 8080)
				go accept(l, answerHTTP)
				every(t, func() {
					if c := call(p.world, l.Addr().String(), probe); c != nil {
						_, _ = io.Copy(io.Discard, c)
						_ = c.Close()
					}
					time.Sleep(900 * time.Millisecond)
				})
				p.tls(t, 8443)
			},
			want: []string{"TLS-01"},
			says: []string{"TLS-01: Port 8443 (inbound) is TLS 1.3 for pay.example"},
		}, {
			name:  "no packet and no filter: idle",
			begin: func(t *testing.T, p *seedPod) { listen(t, p.ns, p.inside, 8080) },
			want:  []string{"NONE-01"},
			says:  []string{"NONE-01: No packet crossed"},
		}, {
			name:  "no packet, and a filter: idle all the same",
			args:  []string{"--filter", "tcp port 8080"},
			begin: func(t *testing.T, p *seedPod) { listen(t, p.ns, p.inside, 8080) },
			want:  []string{"NONE-01"},
			says:  []string{"NONE-01: No packet crossed"},
		}, {
			name: "no packet, though the interface has some: blind",
			begin: func(t *testing.T, p *seedPod) {
				listen(t, p.ns, p.inside, 8080)
				p.blind(t)
			},
			want: []string{"NONE-02"},
			says: []string{"NONE-02: Packets crossed"},
		}, {
			name: "no packet, though the interface has some, and a filter: blind all the same",
			args: []string{"--filter", "tcp port 8080"},
			begin: func(t *testing.T, p *seedPod) {
				listen(t, p.ns, p.inside, 8080)
				p.blind(t)
			},
			want: []string{"NONE-02"},
			says: []string{"NONE-02: Packets crossed"},
		}, {
			name:  "DNS beside HTTP is not unparsed TCP",
			begin: func(t *testing.T, p *seedPod) { p.http(t, 8080); p.dns(t) },
			want:  []string{"OK-00"},
		}, {
			name:  "DNS alone is not unparsed TCP",
			begin: func(t *testing.T, p *seedPod) { p.dns(t) },
			want:  []string{"NONE-10"},
			says:  []string{"NONE-10: No TCP payload was seen: 0 TCP segments without any, "},
		}, {
			name:  "a filter on the Service's port",
			args:  []string{"--port", "80"},
			begin: func(t *testing.T, p *seedPod) { p.http(t, 8080) },
			want:  []string{"FILT-01", "FILT-02", "FILT-03"},
			says:  []string{"FILT-02: Nothing listens on 80 here; listening: 8080. A Service's port is not the container's port.", "$ wiretell run --port 8080"},
		}, {
			name: "packets in but none out",
			args: []string{"--interface", "eth0"},
			begin: func(t *testing.T, p *seedPod) {
				p.otherWayOut(t)
				p.http(t, 8080)
			},
			want: []string{"DIR-01", "DIR-04", "QUAL-07"}, also: []string{"NONE-03"}, // as many leave by net1
			says: []string{"DIR-01: Only received packets are visible on eth0 "},
		}, {
			name: "packets in by one interface and out by another",
			begin: func(t *testing.T, p *seedPod) {
				p.otherWayOut(t)
				p.http(t, 8080)
			},
			want: []string{"OK-00"},
		}, {
			name:  "requests without responses",
			begin: func(t *testing.T, p *seedPod) { converse(t, p.world, p.ns, p.inside, 8080, request, readSome) },
			want:  []string{"DIR-02"},
			says:  []string{"DIR-02: The server on port 8080 (inbound) sent nothing in answer to "},
		}, {
			name:  "only TLS",
			begin: func(t *testing.T, p *seedPod) { p.tls(t, 8443) },
			want:  []string{"TLS-01"},
			says:  []string{"wiretell: no HTTP request or response was seen.", "TLS-01: Port 8443 (inbound) is TLS 1.3 for pay.example"},
		}, {
			name: "nothing but its own export",
			begin: func(t *testing.T, p *seedPod) {
				listen(t, p.ns, p.inside, 8080)
				takeOTLP(t, p.world, p.outside, "")
			},
			env: func(p *seedPod) []string {
				return []string{"WIRETELL_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_METRIC_EXPORT_INTERVAL=500",
					"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + net.JoinHostPort(p.outside.String(), "4318")}
			},
			want: []string{"NONE-05", "SELF-02"},
			says: []string{"NONE-05: Only wiretell's own traffic was seen ("},
		}, {
			name:  "a filter leaves out all HTTP while DNS flows",
			args:  []string{"--filter", "udp port 53"},
			begin: func(t *testing.T, p *seedPod) { p.http(t, 8080); p.dns(t) },
			want:  []string{"FILT-01", "FILT-03"},
			says:  []string{"FILT-01: The filter (udp port 53) matches none of ", "$ wiretell run --port 8080"},
		},
	}
}

// blind lets packets come that no packet socket sees: an XDP program drops them.
func (p *seedPod) blind(t *testing.T) {
	t.Helper()
	program := []uint64{0x1_0000_00b7, 0x95} // r0 = XDP_DROP; exit
	license := []byte("GPL\x00")
	attr := struct {
		kind, count      uint32
		program, license uint64
		rest             [104]byte
	}{kind: unix.BPF_PROG_TYPE_XDP, count: uint32(len(program)), program: uint64(uintptr(unsafe.Pointer(&program[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(program)
	runtime.KeepAlive(license)
	switch {
	case errno == unix.EPERM && os.Getenv("CI") == "":
		t.Skip("XDP programs need root")
	case errno != 0:
		t.Fatalf("load an XDP program: %v", errno)
	}
	defer unix.Close(int(fd))
	p.ns.Must(t, func() error {
		return netlink.LinkSetXdpFdWithFlags(p.ns.Link(t, "eth0"), int(fd), unix.XDP_FLAGS_SKB_MODE)
	})
	mac := p.ns.Link(t, "eth0").Attrs().HardwareAddr // it does not hear who asks for it
	if err := p.world.Links.NeighSet(&netlink.Neigh{LinkIndex: p.world.Link(t, "eth0").Attrs().Index, State: netlink.NUD_PERMANENT, IP: p.inside.AsSlice(), HardwareAddr: mac}); err != nil {
		t.Fatal(err)
	}
	every(t, func() { datagrams(t, p.world, netip.AddrPortFrom(p.inside, 9), 10) })
}

// otherWayOut lets what the pod sends leave by another interface than the one
// that it is reached on.
func (p *seedPod) otherWayOut(t *testing.T) {
	t.Helper()
	other := netnstest.ConnectAs(t, p.ns, p.world, "net1", 1)
	err := p.ns.Links.RouteAdd(&netlink.Route{LinkIndex: p.ns.Link(t, other.Name).Attrs().Index, Gw: other.B.AsSlice(), Src: p.inside.AsSlice(),
		Dst: &net.IPNet{IP: p.outside.AsSlice(), Mask: net.CIDRMask(32, 32)}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSeeds: what went wrong in the tools that wiretell learned from is told
// rightly, by a run over live packets.
func TestSeeds(t *testing.T) {
	for _, tt := range seeds() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			p := &seedPod{ns: netnstest.New(t), world: netnstest.New(t)}
			link := netnstest.Connect(t, p.world, p.ns)
			p.outside, p.inside = link.A, link.B
			tt.begin(t, p)
			quietLinks(t, p.ns, p.world)
			env := []string{"WIRETELL_EXPORTER=none"}
			if tt.env != nil {
				env = tt.env(p)
			}
			w := start(t, p.ns, env, append([]string{"run", "--diagnosis-window", "1s"}, tt.args...)...)
			for _, id := range tt.want {
				w.await(t, "] "+id+": ")
			}
			time.Sleep(3 * time.Second)
			w.stop()
			said := w.said()
			var held []string
			for _, m := range concluded.FindAllStringSubmatch(said, -1) {
				held = append(held, m[1])
			}
			slices.Sort(held)
			held = slices.Compact(held)
			if only := slices.DeleteFunc(slices.Clone(held), func(id string) bool { return slices.Contains(tt.also, id) }); !slices.Equal(only, tt.want) {
				t.Errorf("%v holds at the end, want %v", held, tt.want)
			}
			for _, m := range findingLine.FindAllStringSubmatch(said, -1) {
				// A call may be under way as the run begins.
				if id := m[1]; id != "ENV-06" && !slices.Contains(tt.want, id) && !slices.Contains(tt.also, id) {
					t.Errorf("%s was raised", id)
				}
			}
			for _, want := range tt.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not said", want)
				}
			}
			if t.Failed() {
				t.Logf("wiretell said:\n%s", said)
			}
		})
	}
}
