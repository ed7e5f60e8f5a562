package prometheus

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ expr, problem string }{
		{`sum by (server_port) (rate(wiretell_requests_total{job=~"x"}[5m])) > 1`, ""},
		{`histogram_quantile(0.9, sum by (le) (rate(wiretell_tcp_rtt_seconds_bucket{}[5m])))`, ""},
		{`label_replace(wiretell_diagnosis_active{}, "a", "$1", "wiretell_diagnosis_id", "(.*)")`, ""},
		{`rate(wiretell_request_total{}[5m])`, "no metric wiretell_request_total"},
		{`wiretell_tcp_rtt_seconds{}`, "no metric wiretell_tcp_rtt_seconds"},
		{`rpc_server_call_duration_seconds_count{}`, "no metric rpc_server"},
		{`wiretell_requests_total{http_route="/"}`, "has no label http_route"},
		{`sum by (le) (wiretell_requests_total{})`, "has a label le"},
		{`rate(wiretell_requests_total[5m])`, "give a metric a selector"},
	} {
		got := strings.Join(Check(tt.expr), "; ")
		if (got == "") != (tt.problem == "") || !strings.Contains(got, tt.problem) {
			t.Errorf("%s: %q, want %q", tt.expr, got, tt.problem)
		}
	}
}
