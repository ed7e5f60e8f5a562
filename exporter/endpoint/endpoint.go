package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/wiretell/wiretell/exporter"
)

// Bounds of what clients may ask for.
const (
	maxConnections = 32
	maxHeaderBytes = 8 << 10
	headerTimeout  = 2 * time.Second
	writeTimeout   = 10 * time.Second
)

// maxSilence is after how long without a look of the desk wiretell is not
// healthy: live, it looks once a second.
const maxSilence = 30 * time.Second

// Config says what is answered.
type Config struct {
	// Status returns what the desk knew when it last looked, nil before.
	Status func() *exporter.Status
	// Metrics writes every metric as Prometheus takes it, of type MetricsType.
	Metrics     func(context.Context, io.Writer) error
	MetricsType string
	// Server is used when it is not nil; what bounds clients is set in it. Its
	// ErrorLog says where it tells of clients that misbehave.
	Server *http.Server
	// Failed is told, on a goroutine of its own, why nobody is answered any more,
	// when that is not for Close. nil ignores it.
	Failed func(error)
}

// Server answers; see [Serve].
type Server struct {
	cfg     Config
	began   time.Time
	http    *http.Server
	metrics chan struct{} // one collection at a time
}

// Serve answers on l until Close, in goroutines of its own. It owns l.
func Serve(l net.Listener, cfg Config) *Server {
	s := &Server{cfg: cfg, began: time.Now(), metrics: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /diagnosis", s.diagnosis)
	mux.HandleFunc("GET /metrics", s.prometheus)
	s.http = cfg.Server
	if s.http == nil {
		s.http = new(http.Server)
	}
	s.http.Handler, s.http.MaxHeaderBytes = local(mux), maxHeaderBytes
	s.http.ReadHeaderTimeout, s.http.ReadTimeout, s.http.WriteTimeout = headerTimeout, headerTimeout, writeTimeout
	// A connection that waits for another request would take the room of one
	// that has a request.
	s.http.SetKeepAlivesEnabled(false)
	go func() {
		err := s.http.Serve(netutil.LimitListener(l, maxConnections))
		if cfg.Failed != nil && !errors.Is(err, http.ErrServerClosed) {
			cfg.Failed(err)
		}
	}()
	return s
}

// local refuses what comes over loopback and asks for another name than localhost:
// a page in a browser beside wiretell may have its own name resolved to
// 127.0.0.1, and would read what is answered (DNS rebinding).
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if at != nil && at.IP.IsLoopback() && !namesNobody(r.Host) {
			plain(w, http.StatusMisdirectedRequest, "ask for localhost or an address\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namesNobody reports whether a Host field has no name that somebody may own.
func namesNobody(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}

// Close ends the server and every connection at once.
func (s *Server) Close() error { return s.http.Close() }

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "wiretell: /healthz /readyz /diagnosis (?format=json) /metrics\n")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	io.WriteString(w, text)
}

// healthz tells whether the capture's goroutine and the desk's both work:
// without either there is no new status.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	looked := s.began
	if st := s.cfg.Status(); st != nil {
		looked = st.Looked
	}
	if silent := time.Since(looked); silent > maxSilence {
		plain(w, http.StatusServiceUnavailable, fmt.Sprintf("not healthy: no sign of life for %v\n", silent.Round(time.Second)))
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	switch st := s.cfg.Status(); {
	case st == nil:
		plain(w, http.StatusServiceUnavailable, "not ready: starting\n")
	case st.Err != nil:
		plain(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: nothing is captured: %v\n", st.Err))
	default:
		plain(w, http.StatusOK, "ok\n")
	}
}

func (s *Server) diagnosis(w http.ResponseWriter, r *http.Request) {
	asJSON := wantsJSON(r.Header.Values("Accept"))
	switch format := r.URL.Query().Get("format"); format {
	case "":
		w.Header().Set("Vary", "Accept")
	case "json", "text":
		asJSON = format == "json"
	default:
		plain(w, http.StatusBadRequest, "format: want json or text\n")
		return
	}
	st := s.cfg.Status()
	if st == nil {
		plain(w, http.StatusServiceUnavailable, "nothing is known yet: starting\n")
		return
	}
	if !asJSON {
		plain(w, http.StatusOK, st.Text)
		return
	}
	b, err := json.MarshalIndent(&st.Report, "", "  ")
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(append(b, '\n'))
}

// wantsJSON reports whether an Accept field names JSON and does not rather have text
// (RFC 9110, section 12.5.1): what stands first counts, without weights.
func wantsJSON(accept []string) bool {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/json", "application/*":
			return true
		case "text/plain", "text/html", "text/*":
			return false
		}
	}
	return false
}

func (s *Server) prometheus(w http.ResponseWriter, r *http.Request) {
	select {
	case s.metrics <- struct{}{}:
		defer func() { <-s.metrics }()
	case <-r.Context().Done():
		return
	}
	// First all, then the answer: what fails midway must not look whole.
	var b bytes.Buffer
	if err := s.cfg.Metrics(r.Context(), &b); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", s.cfg.MetricsType)
	w.Write(b.Bytes())
}
