package otel

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"
)

// tlsFiles makes TLS configurations from PEM files and reads the files again
// when they change. It fails closed: no file, no connection.
type tlsFiles struct {
	name          string // of the server
	ca, cert, key string

	mu     sync.Mutex
	seen   [3]time.Time
	loaded *tls.Config
}

func newTLSFiles(s *SignalConfig, serverName string) *tlsFiles {
	return &tlsFiles{name: serverName, ca: s.CAFile, cert: s.CertFile, key: s.KeyFile}
}

// config returns a configuration for one connection; the caller owns it.
func (f *tlsFiles) config() (*tls.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var times [3]time.Time
	for i, path := range []string{f.ca, f.cert, f.key} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		times[i] = info.ModTime()
	}
	if f.loaded == nil || times != f.seen {
		cfg, err := f.load()
		if err != nil {
			return nil, err
		}
		f.loaded, f.seen = cfg, times
	}
	return f.loaded.Clone(), nil
}

func (f *tlsFiles) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.name}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in PEM form", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
