package grafana

func self() Dashboard {
	byInterface := func(title, description, unit, metric string) Panel {
		return series(6, title, description, unit, query{`sum by (wiretell_observed_service_name, network_interface_name) (rate(` + metric + `{` + own + `}` + every + `))`,
			"{{wiretell_observed_service_name}} {{network_interface_name}}"})
	}
	total := func(title, description, unit, metric string) Panel {
		return series(6, title, description, unit, query{`sum by (wiretell_observed_service_name) (rate(` + metric + `{` + own + `}` + every + `))`, "{{wiretell_observed_service_name}}"})
	}
	return dashboard("self", "self", "wiretell itself: what it captured and lost, what it exported, what it holds, and its books.",
		row("Capture"),
		byInterface("Frames offered", "Frames that the kernel offered to the capture ring, drops included.", "pps", "wiretell_capture_packets_total"),
		byInterface("Frames dropped", "Frames that the kernel dropped because the ring was full: raise --ring-mib.", "pps", "wiretell_capture_drops_total"),
		byInterface("Ring full", "Times the ring stood full.", "cps", "wiretell_capture_queue_freezes_total"),
		byInterface("Frames cut", "Frames cut by the capture: raise --snaplen.", "pps", "wiretell_capture_truncated_total"),
		series(6, "Lag", "Greatest age of a frame when it was read.", "s", query{`max by (wiretell_observed_service_name) (wiretell_capture_lag_seconds{` + own + `})`, "{{wiretell_observed_service_name}}"}),
		total("Holes in streams", "Bytes of TCP streams that were acknowledged, or waited for too long, and never seen.", "Bps", "wiretell_capture_gaps_io_bytes_total"),
		total("Clock steps", "Packets whose time lies more than a second before the one before them.", "cps", "wiretell_capture_clock_steps_total"),
		series(6, "Coverage", "Share of what the kernel says arrived that wiretell saw.", "percentunit", query{`min by (wiretell_observed_service_name) (wiretell_capture_coverage_ratio{` + own + `})`, "{{wiretell_observed_service_name}}"}).limited(1),

		row("Export and memory"),
		series(8, "Records by outcome", "What became of spans, log records and metric data points; what was dropped says why.", "cps",
			query{`sum by (wiretell_export_signal, wiretell_export_outcome, wiretell_reason) (rate(wiretell_export_records_total{` + own + `}` + every + `))`, "{{wiretell_export_signal}} {{wiretell_export_outcome}} {{wiretell_reason}}"}),
		series(8, "Waiting to be sent", "Encoded bytes that wait to be sent, and the bound.", "bytes",
			query{`sum by (wiretell_export_signal) (wiretell_export_queue_bytes{` + own + `})`, "{{wiretell_export_signal}}"},
			query{`max(wiretell_memory_budget_bytes{wiretell_memory_user="export_queue",` + own + `})`, "bound"}),
		series(8, "Memory budgets", "Most memory that each part may use.", "bytes",
			query{`sum by (wiretell_memory_user) (wiretell_memory_budget_bytes{` + own + `})`, "{{wiretell_memory_user}}"}),
		series(12, "Evictions", "State given up because a bound of wiretell's own was reached.", "cps",
			query{`sum by (wiretell_reason) (rate(wiretell_evictions_total{` + own + `}` + every + `))`, "{{wiretell_reason}}"}),
		series(12, "Spans and log records that wait", "What the batching queues hold.", "short",
			query{`sum(otel_sdk_processor_span_queue_size{` + own + `})`, "spans"},
			query{`sum(otel_sdk_processor_log_queue_size{` + own + `})`, "log records"}),

		row("Ledger"),
		series(12, "Imbalance by line", "By how much a line of the ledger does not balance: must be 0.", "short",
			query{`max by (wiretell_ledger_line) (abs(wiretell_ledger_imbalance{` + own + `}))`, "{{wiretell_ledger_line}}"}),
		table(12, 16, "Accounts", "Every account that is not 0, since wiretell started.", "short",
			`sum by (wiretell_ledger_line, wiretell_reason) (wiretell_ledger_total{`+own+`}) > 0`,
			column{"wiretell_ledger_line", "Line"}, column{"wiretell_reason", "Account"}, column{"Value", "Items"}),
	)
}
