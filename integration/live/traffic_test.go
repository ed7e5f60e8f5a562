package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// sizes are the bodies' lengths in turn; each number is one exchange's.
var sizes = [...]int{0, 1, 100, 1460, 5_000, 20_000, 0, 300, 70_000, 12}

// bodySize returns the length of the body of exchange i: now and then 1 MiB.
func bodySize(i int) int {
	if i%500 == 7 {
		return 1 << 20
	}
	return sizes[i%len(sizes)]
}

// exchange is what client and server know of one exchange.
type exchange struct {
	method                string
	status                int
	requestBody, respBody int
	entered, answered     time.Time // in the server's handler
}

// traffic runs a server in one namespace and clients in another.
type traffic struct {
	t        testing.TB
	clientNS *netnstest.NS
	addr     netip.AddrPort
	mu       sync.Mutex
	done     map[int]*exchange
}

// serve starts the server; it ends with the test.
func serve(t testing.TB, server, client *netnstest.NS, at netip.Addr) *traffic {
	t.Helper()
	tr := &traffic{t: t, clientNS: client, done: map[int]*exchange{}}
	var l net.Listener
	server.Must(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	tr.addr = netip.MustParseAddrPort(l.Addr().String())
	s := &http.Server{Handler: tr}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return tr
}

// ServeHTTP answers /ID with the status and the body that ID asks for.
func (tr *traffic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	entered := time.Now()
	id, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil {
		http.Error(w, "no such exchange", http.StatusNotFound)
		return
	}
	n, _ := io.Copy(io.Discard, r.Body)
	if id%10 == 3 {
		time.Sleep(2 * time.Millisecond)
	}
	e := &exchange{method: r.Method, status: statusOf(id), requestBody: int(n), respBody: bodySize(id), entered: entered}
	body := bytes.Repeat([]byte{'x'}, e.respBody)
	w.Header().Set("Content-Type", "application/octet-stream")
	if id%3 != 0 { // the rest is chunked when it is long
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	e.answered = time.Now()
	tr.mu.Lock()
	tr.done[id] = e
	tr.mu.Unlock()
	w.WriteHeader(e.status)
	w.Write(body)
}

func statusOf(id int) int {
	switch {
	case id%50 == 11:
		return 500
	case id%20 == 5:
		return 404
	}
	return 200
}

func methodOf(id int) string {
	if id%4 == 1 {
		return "POST"
	}
	return "GET"
}

// client returns an HTTP client with connections of its own.
func (tr *traffic) client(keepAlive bool) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 1, DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
			err = tr.clientNS.Do(func() error {
				c, err = (&net.Dialer{Timeout: 10 * time.Second}).Dial(network, addr)
				return err
			})
			return c, err
		},
	}}
}

// exchanges makes the exchanges with the numbers from first to first+n-1 over
// conns clients at once, and fails the test when one goes wrong.
func (tr *traffic) exchanges(first, n, conns int, keepAlive bool) {
	tr.t.Helper()
	var next atomic.Int64
	next.Store(int64(first))
	var wg sync.WaitGroup
	var failure atomic.Pointer[error]
	for range conns {
		wg.Go(func() {
			c := tr.client(keepAlive)
			defer c.CloseIdleConnections()
			for {
				id := int(next.Add(1)) - 1
				if id >= first+n || failure.Load() != nil {
					return
				}
				if err := tr.one(c, id); err != nil {
					failure.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		tr.t.Fatal(*err)
	}
}

func (tr *traffic) one(c *http.Client, id int) error {
	var body io.Reader
	if methodOf(id) == "POST" {
		body = bytes.NewReader(make([]byte, bodySize(id+1)))
	}
	req, err := http.NewRequest(methodOf(id), fmt.Sprintf("http://%s/%d", tr.addr, id), body)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "live-test")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != statusOf(id) || int(n) != bodySize(id) {
		return fmt.Errorf("exchange %d: status %d with %d bytes", id, resp.StatusCode, n)
	}
	return nil
}
