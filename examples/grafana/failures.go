package grafana

import "strings"

// failure is one way to fail: a number for the whole time range, and over time.
type failure struct {
	title, description, selected string // a counter with what selects the failures
	by, legend                   string
	tags                         string // of the traces, when there are some
}

func failures() Dashboard {
	list := []failure{
		{"Status 4xx", "Exchanges that were answered with a status from 400 to 499, inbound and outbound.",
			exchanges(`http_response_status_code=~"4.."`),
			"job, server_port, http_response_status_code", "{{job}} port {{server_port}} {{http_response_status_code}}", "http.response.status_code=${__field.labels.http_response_status_code}"},
		{"Status 5xx", "Exchanges that were answered with a status from 500 to 599, inbound and outbound.",
			exchanges(`http_response_status_code=~"5.."`),
			"job, server_port, http_response_status_code", "{{job}} port {{server_port}} {{http_response_status_code}}", "http.response.status_code=${__field.labels.http_response_status_code}"},
		{"Half exchanges", "Requests without a whole response: the connection was reset, closed or timed out first. A cause that lies with the capture is not counted here.",
			exchanges(`error_type!="",error_type!~"[45].."`),
			"job, server_port, error_type", "{{job}} port {{server_port}} {{error_type}}", "error.type=${__field.labels.error_type}"},
		{"Failed connects", "TCP connections that were never established: refused, no answer, or turned away by ICMP.",
			`wiretell_tcp_connections_total{error_type!="",` + observed + `}`,
			"job, wiretell_connection_role, error_type", "{{job}} as {{wiretell_connection_role}} {{error_type}}", ""},
		{"Resets", "Connections that were reset, by who sent the reset and what the connection was doing.",
			`wiretell_tcp_resets_total{` + observed + `}`,
			"job, network_io_direction, wiretell_tcp_phase", "{{job}} {{network_io_direction}} {{wiretell_tcp_phase}}", ""},
		{"Retransmits", "TCP segments that were sent again.",
			`wiretell_tcp_retransmits_total{` + observed + `}`,
			"job, network_io_direction, wiretell_tcp_retransmit_kind", "{{job}} {{network_io_direction}} {{wiretell_tcp_retransmit_kind}}", ""},
		{"ICMP errors", "ICMP errors by type and code: 3/1 is host unreachable, 3/3 port unreachable, 3/4 fragmentation needed, 11/0 time exceeded; ICMPv6 1/x unreachable, 2/0 packet too big.",
			`wiretell_icmp_messages_total{network_type="ipv4",wiretell_icmp_type=~"3|4|5|11|12",` + observed + `} or wiretell_icmp_messages_total{network_type="ipv6",wiretell_icmp_type=~"1|2|3|4",` + observed + `}`,
			"job, network_type, wiretell_icmp_type, wiretell_icmp_code", "{{job}} {{network_type}} {{wiretell_icmp_type}}/{{wiretell_icmp_code}}", ""},
		{"Failed look-ups", "DNS look-ups over UDP without an answer, or answered with another code than NOERROR.",
			`wiretell_dns_lookups_seconds_count{dns_response_code!="NOERROR",` + observed + `}`,
			"job, dns_response_code, error_type", "{{job}} {{dns_response_code}} {{error_type}}", ""},
	}
	var panels []Panel
	for _, f := range list {
		panels = append(panels, stat(3, f.title, f.description+" Within the time range.", "short", `round(sum(`+over(f.selected, "increase", "[$__range]")+`)) or vector(0)`, 1))
	}
	for _, f := range list {
		p := series(6, f.title+" over time", f.description, "cps", query{`sum by (` + f.by + `) (` + over(f.selected, "rate", every) + `) > 0`, f.legend})
		p.FieldConfig.Defaults.NoValue = "none"
		if f.tags != "" {
			p = p.linked("Traces", f.tags)
		}
		panels = append(panels, p)
	}
	d := dashboard("errors", "errors",
		"Everything that went wrong on the wire, on one screen: status 400 and above, half exchanges, TCP and ICMP errors, failed look-ups.",
		append(panels, failedTraces())...)
	// A search for traces is of one service.
	service := &d.Templating.List[len(d.Templating.List)-1]
	service.Multi, service.IncludeAll, service.AllValue, service.Current = false, false, "", nil
	return d
}

// exchanges selects among those of both kinds.
func exchanges(which string) string {
	return `http_server_request_duration_seconds_count{` + which + `,` + http + `} or http_client_request_duration_seconds_count{` + which + `,` + http + `}`
}

// over puts a function over a range of each selector of "a or b".
func over(selected, function, window string) string {
	var parts []string
	for selector := range strings.SplitSeq(selected, " or ") {
		parts = append(parts, function+`(`+selector+window+`)`)
	}
	return strings.Join(parts, " or ")
}

// failedTraces lists traces; Grafana makes each trace id a link to the trace.
func failedTraces() Panel {
	// Not error=true: the memory store of Jaeger 2.13 finds nothing by it.
	p := panel("table", 24, 9, "Exchanges with status 500", "Latest traces with an exchange that was answered with 500; the trace id leads to the trace. The links of the panels above lead to others.", "")
	source := traces
	p.Datasource = &source
	p.ask(Target{QueryType: "search", Service: "$service", Tags: "http.response.status_code=500", Limit: 50})
	p.Options = map[string]any{"cellHeight": "sm", "showHeader": true}
	return p
}
