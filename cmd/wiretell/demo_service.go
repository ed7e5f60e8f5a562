package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"
)

// demoService is a small shop: HTTP on one port, HTTPS on another, and a port
// where nobody listens.
type demoService struct {
	http, https net.Listener
	servers     []*http.Server
	closed      string // an address that refuses connections
}

func startDemoService() (*demoService, error) {
	s := &demoService{closed: "127.0.0.1:5432"}
	var err error
	if s.http, err = net.Listen("tcp", "127.0.0.1:8080"); err != nil {
		return nil, err
	}
	if s.https, err = net.Listen("tcp", "127.0.0.1:8443"); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `[{"id":1,"name":"teapot"}]`)
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /pay", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the payment service is away", http.StatusInternalServerError)
	})
	cert, err := demoCertificate()
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	plain := &http.Server{Handler: mux, ErrorLog: quiet}
	secure := &http.Server{Handler: mux, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	s.servers = []*http.Server{plain, secure}
	go plain.Serve(s.http)
	go secure.ServeTLS(s.https, "", "")
	return s, nil
}

// calls makes the demo's calls, each for one thing that wiretell tells.
func (s *demoService) calls() error {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "shop.example"},
	}}
	defer c.CloseIdleConnections()
	base := "http://" + s.http.Addr().String()
	for _, call := range []struct{ method, url, parent string }{
		{"GET", base + "/items?page=1", demoParent}, // joins a trace
		{"POST", base + "/cart?token=secret", ""},   // a secret that must not leave
		{"GET", base + "/items?page=2", ""},
		{"GET", base + "/pay", demoParent},                           // fails
		{"GET", "https://" + s.https.Addr().String() + "/items", ""}, // cannot be read
	} {
		req, err := http.NewRequestWithContext(context.Background(), call.method, call.url, strings.NewReader(""))
		if err != nil {
			return err
		}
		if call.parent != "" {
			req.Header.Set("traceparent", call.parent)
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if conn, err := net.Dial("tcp", s.closed); err == nil { // refused
		conn.Close()
		return errors.New("a port without a listener took a connection")
	}
	return nil
}

func (s *demoService) close() {
	for _, srv := range s.servers {
		srv.Close()
	}
}

// demoCertificate makes a self-signed certificate.
func demoCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop.example"}, DNSNames: []string{"shop.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
