package grafana

// What selects the series of a dashboard's service: traffic is under the
// service's own name, what wiretell says of itself under wiretell's. The names
// of HTTP metrics are those of every SDK, hence the second condition.
const (
	http     = `telemetry_distro_name="wiretell",job=~"$service"`
	observed = `job=~"$service"`
	own      = `wiretell_observed_service_name=~"$service"`
)

const every = "[$__rate_interval]"

func overview() Dashboard {
	return dashboard("overview", "overview",
		"Requests, errors and durations by port and by peer, as seen on the wire; and how much of the wire was seen.",
		row("Inbound: requests to this service"),
		series(8, "Inbound requests by port and status", "HTTP exchanges that ended, by server port and status code. Without a status code: no response was seen, and error.type says why.", "reqps",
			query{`sum by (job, server_port, http_response_status_code, error_type) (rate(http_server_request_duration_seconds_count{` + http + `}` + every + `))`,
				"{{job}}:{{server_port}} {{http_response_status_code}} {{error_type}}"}).
			linked("Traces with this status", `http.response.status_code=${__field.labels.http_response_status_code}`),
		series(8, "Inbound errors by port", "Share of exchanges that failed on the server's side: status 5xx, or no whole response.", "percentunit",
			query{errorRatio("http_server_request_duration_seconds_count", "job, server_port"), "{{job}}:{{server_port}}"}).
			limited(1).linked("Traces with status 500", "http.response.status_code=500"),
		series(8, "Inbound duration by port", "From the first byte of the request to the last byte of the response, on the wire: the application's own queues and network are in it.", "s",
			query{quantile("0.5", "http_server_request_duration_seconds", "job, server_port", http), "{{job}}:{{server_port}} p50"},
			query{quantile("0.95", "http_server_request_duration_seconds", "job, server_port", http), "{{job}}:{{server_port}} p95"},
			query{quantile("0.99", "http_server_request_duration_seconds", "job, server_port", http), "{{job}}:{{server_port}} p99"}).
			linked("Traces of this service", ""),

		row("Outbound: calls of this service to its peers"),
		series(8, "Outbound requests by peer and status", "HTTP exchanges that ended, by the peer's name (or address) and port, and status code.", "reqps",
			query{`sum by (job, server_address, server_port, http_response_status_code, error_type) (rate(http_client_request_duration_seconds_count{` + http + `}` + every + `))`,
				"{{server_address}}:{{server_port}} {{http_response_status_code}} {{error_type}}"}).
			linked("Traces with this status", `http.response.status_code=${__field.labels.http_response_status_code}`),
		series(8, "Outbound errors by peer", "Share of calls that failed: status 4xx or 5xx, or no whole response.", "percentunit",
			query{errorRatio("http_client_request_duration_seconds_count", "job, server_address, server_port"), "{{server_address}}:{{server_port}}"}).
			limited(1).linked("Traces with status 500", "http.response.status_code=500"),
		series(8, "Outbound duration by peer", "From the first byte of the request to the last byte of the response, on the wire.", "s",
			query{quantile("0.5", "http_client_request_duration_seconds", "job, server_address, server_port", http), "{{server_address}}:{{server_port}} p50"},
			query{quantile("0.95", "http_client_request_duration_seconds", "job, server_address, server_port", http), "{{server_address}}:{{server_port}} p95"}).
			linked("Traces of this service", ""),

		row("Network"),
		series(6, "Bytes by interface", "Bytes on the wire, headers included.", "Bps",
			query{`sum by (network_interface_name, network_io_direction) (rate(wiretell_io_bytes_total{` + observed + `}` + every + `))`, "{{network_interface_name}} {{network_io_direction}}"}),
		series(6, "Open connections", "TCP connections that are open now, by which side is in this network namespace.", "short",
			query{`sum by (job, wiretell_connection_role) (wiretell_tcp_connections_open{` + observed + `})`, "{{job}} {{wiretell_connection_role}}"}),
		series(6, "Round-trip time", "Mean round-trip time of each connection, recorded when it ends.", "s",
			query{quantile("0.5", "wiretell_tcp_rtt_seconds", "wiretell_connection_role", observed), "{{wiretell_connection_role}} p50"},
			query{quantile("0.95", "wiretell_tcp_rtt_seconds", "wiretell_connection_role", observed), "{{wiretell_connection_role}} p95"}),
		series(6, "DNS look-ups", "Time from a query over UDP to its answer, or until it was given up.", "s",
			query{quantile("0.95", "wiretell_dns_lookups_seconds", "dns_response_code, error_type", observed), "{{dns_response_code}} {{error_type}} p95"}),

		row("How much was seen"),
		stat(4, "Coverage", "Smallest share of what the kernel says arrived that wiretell saw.", "percentunit",
			`min(wiretell_capture_coverage_ratio{`+own+`})`).mendBelow(0.95, 0.999),
		stat(4, "Ledger imbalance", "By how much wiretell's books do not balance: must be 0, or wiretell has a fault.", "short",
			`max(abs(wiretell_ledger_imbalance{`+own+`}))`, 1),
		stat(4, "Active findings", "Warnings and errors of the diagnosis that hold now: see the dashboard of the diagnosis.", "short",
			`sum(wiretell_diagnosis_active{wiretell_diagnosis_severity=~"warning|error",`+own+`}) or vector(0)`, 1),
		series(12, "Not understood, by reason", "Packets with payload that became no message, each counted once: encrypted, another protocol, cut, joined midway.", "pps",
			query{`sum by (server_port, wiretell_reason) (rate(wiretell_unparsed_total{` + observed + `}` + every + `))`, "{{server_port}} {{wiretell_reason}}"}),
		series(24, "Where each frame went", "The ledger's line of frames: every frame that was read is in exactly one account.", "pps",
			query{`sum by (wiretell_reason) (rate(wiretell_ledger_total{wiretell_ledger_line="frames",` + own + `}` + every + `))`, "{{wiretell_reason}}"}),
	)
}

// mendBelow colours a stat for which more is better: red, yellow, green.
func (p Panel) mendBelow(red, yellow float64) Panel {
	p.FieldConfig.Defaults.Thresholds.Steps = []Step{{Color: "red"}, {Color: "yellow", Value: number(red)}, {Color: "green", Value: number(yellow)}}
	return p
}

// errorRatio is the share of a histogram's count that has an error.type, which
// is 0, not nothing, where none has.
func errorRatio(count, by string) string {
	all := `sum by (` + by + `) (rate(` + count + `{` + http + `}` + every + `))`
	failed := `sum by (` + by + `) (rate(` + count + `{error_type!="",` + http + `}` + every + `))`
	return `(` + failed + ` or 0 * ` + all + `) / ` + all
}

func quantile(q, histogram, by, selector string) string {
	return `histogram_quantile(` + q + `, sum by (le, ` + by + `) (rate(` + histogram + `_bucket{` + selector + `}` + every + `)))`
}
