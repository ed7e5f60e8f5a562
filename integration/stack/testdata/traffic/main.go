// Command traffic is the application and its client in the test of the compose
// file: with the argument app in the network that wiretell captures, with client
// beside it. First the client makes requests that are traced, then both make
// every sort of failure that the dashboards show, until they are ended.
//
//	client        app          client
//	browser ─────▶ :7001 ─────▶ :7002 pay                traced, by SDKs
//	          GET  :80         :9090                     200, 404, 500, half an answer, half a request
//	         bytes :7777       :53 :9999 :4              no HTTP; look-ups; never accepted; nobody listens
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wiretell/wiretell/integration/dnstest"
)

func main() {
	log.SetFlags(log.Lmicroseconds)
	roles := map[string]func() error{"app": app, "client": client}
	log.Fatal(roles[os.Args[1]]())
}

// browsed is how often the client makes the traced request.
const browsed = 5

func app() error {
	shop, err := sdk("app")
	if err != nil {
		return err
	}
	out := &http.Client{Transport: otelhttp.NewTransport(fresh, shop...)}
	go serve(":7001", otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), "GET", "http://client:7002/pay", nil)
		if err == nil {
			err = do(out, request)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}), "checkout", shop...))
	go serve(":80", failing())
	go serveBytes(":7777")

	for { // until the client is there
		if _, err := net.LookupHost("client"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	go fillBacklog("client:9999")
	for id := uint16(1); ; id++ {
		requests("http://client:9090")
		say("tcp", "client:4", nil)
		say("udp", "client:4", []byte("any"))
		for _, name := range []string{"good.example.", "nx.example.", "fail.example."} {
			say("udp", "client:53", dnstest.Query(id, name))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func client() error {
	pay, err := sdk("pay")
	if err != nil {
		return err
	}
	go serve(":7002", otelhttp.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "pay", pay...))
	go serve(":9090", failing())
	names, err := net.ListenPacket("udp", ":53")
	if err != nil {
		return err
	}
	go func() { log.Fatal(dnstest.Serve(names)) }()
	if err := neverAccept(9999); err != nil {
		return err
	}
	sdk, err := sdk("browser")
	if err != nil {
		return err
	}
	for { // until wiretell captures
		if err := get(http.DefaultClient, "http://app/ready"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	browser := &http.Client{Transport: otelhttp.NewTransport(fresh, sdk...)}
	for range browsed {
		if err := get(browser, "http://app:7001/checkout"); err != nil {
			return err
		}
	}
	for {
		requests("http://app")
		reset("app:80")
		say("tcp", "app:7777", []byte("\x00\x01\x02 no protocol that is known, and long enough to tell\n"))
		tooBig("app:80")
		time.Sleep(200 * time.Millisecond)
	}
}

// fresh makes a connection for each request.
var fresh = &http.Transport{DisableKeepAlives: true}

// sdk is the OpenTelemetry Go SDK of a service.
func sdk(service string) ([]otelhttp.Option, error) {
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint("collector:4317"))
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(200*time.Millisecond)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	return []otelhttp.Option{otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagation.TraceContext{})}, nil
}

func serve(at string, h http.Handler) {
	log.Fatal(http.ListenAndServe(at, h))
}

// failing answers by the path; what it does not know is missing.
func failing() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/half", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := get(http.DefaultClient, "http://127.0.0.1:19464/readyz"); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

// serveBytes reads what comes and answers with nothing.
func serveBytes(at string) {
	l, err := net.Listen("tcp", at)
	for err == nil {
		var c net.Conn
		if c, err = l.Accept(); err == nil {
			go func() {
				defer c.Close()
				io.Copy(io.Discard, c)
			}()
		}
	}
	log.Fatal(err)
}

// requests makes a request of each sort; some are meant to fail.
func requests(base string) {
	for _, path := range []string{"/ok", "/ok", "/missing", "/broken", "/half"} {
		get(&http.Client{Transport: fresh, Timeout: 10 * time.Second}, base+path)
	}
}

func get(c *http.Client, url string) error {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	return do(c, request)
}

// do makes a request, which is to be answered with 200.
func do(c *http.Client, r *http.Request) error {
	response, err := c.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", r.URL, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// reset sends half a request and resets the connection before the answer.
func reset(to string) error {
	c, err := net.DialTimeout("tcp", to, 2*time.Second)
	if err != nil {
		return err
	}
	_, err = io.WriteString(c, "POST /ok HTTP/1.1\r\nHost: app\r\nContent-Length: 1000\r\n\r\nhalf of it")
	time.Sleep(20 * time.Millisecond)
	return errors.Join(err, c.(*net.TCPConn).SetLinger(0), c.Close())
}

// say sends bytes, waits a moment for an answer and closes.
func say(network, to string, b []byte) error {
	c, err := net.DialTimeout(network, to, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1500))
	return err
}
