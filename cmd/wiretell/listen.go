package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// defaultListen is no port of the Collector, of an SDK's Prometheus exporter
// (9464), of a mesh or of Kubernetes, and none that the kernel gives to clients.
const (
	defaultListen = "127.0.0.1:19464"
	listenOff     = "off"
)

// addListen adds the setting that says where the local endpoint is.
func addListen(f *pflag.FlagSet, listen *string) {
	f.StringVar(listen, "listen", defaultListen, "`address` of the local endpoint (/healthz, /readyz, /diagnosis, /metrics), as :19464 for all interfaces, or off")
}

// checkListen reports an address that cannot be meant.
func checkListen(s string) error {
	if s == listenOff {
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil && host != "" && host != "localhost" {
		_, err = netip.ParseAddr(host)
	}
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--listen: %q is no address and port, as 127.0.0.1:19464 or :19464, and not off", s)
	}
	return nil
}

// listen opens the local endpoint; both results are nil when it is off.
func listen(s string) (net.Listener, error) {
	if s == listenOff {
		return nil, nil
	}
	l, err := net.Listen("tcp", s)
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return nil, op.Err // the address is known
	case err != nil:
		return nil, err
	}
	return l, nil
}

type healthFlags struct {
	listen  string
	ready   bool
	timeout time.Duration
}

func newHealthcheck(proc process) *cobra.Command {
	var f healthFlags
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the wiretell that runs in this network namespace whether it is well",
		Long: `healthcheck asks the local endpoint of "wiretell run" and ends with 0 when it is
well and with 1 when not, or when nobody answers: for HEALTHCHECK in an image
without a shell, and for exec probes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSettings(cmd, proc, f.check, func() error { return f.run(cmd.Context(), proc.stdout) })
		},
	}
	addListen(cmd.Flags(), &f.listen)
	cmd.Flags().BoolVar(&f.ready, "ready", false, "ask whether it captures, instead of whether it is alive")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	addSettings(cmd)
	return cmd
}

// check reports settings that cannot be meant.
func (f *healthFlags) check() error {
	if f.timeout <= 0 {
		return usagef("--timeout must be greater than 0")
	}
	return checkListen(f.listen)
}

// run asks and says what came of it in one line.
func (f *healthFlags) run(ctx context.Context, w io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.listen == listenOff {
		return failed(errors.New("the local endpoint is off"), "--listen 127.0.0.1:19464, for run and for healthcheck, switches it on")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	path := "/healthz"
	if f.ready {
		path = "/readyz"
	}
	code, body, err := askEndpoint(ctx, f.listen, path, f.timeout)
	if err != nil {
		return failed(fmt.Errorf("no answer from %s: %w", reachable(f.listen), cause(err)), "is \"wiretell run\" up in this network namespace, with the same --listen?")
	}
	if code != http.StatusOK {
		return failed(fmt.Errorf("%s%s: %d: %s", reachable(f.listen), path, code, body), "")
	}
	_, err = fmt.Fprintf(w, "%s%s: %s\n", reachable(f.listen), path, body)
	return err
}

// reachable makes of an address to listen on one to connect to.
func reachable(listen string) string {
	host, port, _ := net.SplitHostPort(listen)
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// askEndpoint asks a local endpoint, never through a proxy, and returns the
// status and the first line of the answer.
func askEndpoint(ctx context.Context, listen, path string, timeout time.Duration) (code int, line string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(listen)+path, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		var op *net.OpError
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			err = fmt.Errorf("none within %v", timeout)
		case errors.As(err, &op):
			err = op.Err
		}
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 512))
	line, _, _ = strings.Cut(string(b), "\n")
	return resp.StatusCode, printable(line), err
}
