package grafana

import "github.com/wiretell/wiretell/capture/diagnosis"

func findings() Dashboard {
	const active = `wiretell_diagnosis_active{` + own + `}`
	state := panel("state-timeline", 24, 10, "Findings over time", "When each finding held.", "short")
	state.FieldConfig.Defaults.Mappings = []Mapping{{Type: "value", Options: map[string]Text{"0": {Text: "no", Color: "green"}, "1": {Text: "holds", Color: "orange", Index: 1}}}}
	state.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 70, "lineWidth": 0}
	state.Options = map[string]any{"mergeValues": true, "showValue": "never", "legend": map[string]any{"showLegend": true, "displayMode": "list", "placement": "bottom"}}
	state.ask(Target{Expr: `max by (wiretell_observed_service_name, wiretell_diagnosis_id, wiretell_diagnosis_severity) (clamp_max(` + active + `, 1))`,
		LegendFormat: "{{wiretell_observed_service_name}} {{wiretell_diagnosis_id}} {{wiretell_diagnosis_severity}}", Range: true})

	// The id once more under two names, which are shown as the texts of the leaf.
	list := table(24, 12, "What holds now, and what to do",
		"Each finding that holds, its meaning and its remedy. CAPITALS stand for numbers and names that the log record wiretell.diagnosis has; `wiretell explain ID` tells all about a finding.", "short",
		`label_replace(label_replace(sum by (wiretell_observed_service_name, wiretell_diagnosis_severity, wiretell_diagnosis_id) (`+active+`) > 0, "title", "$1", "wiretell_diagnosis_id", "(.*)"), "remedy", "$1", "wiretell_diagnosis_id", "(.*)")`,
		column{"wiretell_observed_service_name", "Service"}, column{"wiretell_diagnosis_severity", "Severity"}, column{"wiretell_diagnosis_id", "ID"},
		column{"title", "Finding"}, column{"remedy", "What to do"}, column{"Value", "How many"})
	titles, remedies := map[string]Text{}, map[string]Text{}
	for i, l := range diagnosis.Leaves() {
		titles[l.ID] = Text{Text: l.Title, Index: i}
		remedies[l.ID] = Text{Text: diagnosis.Plain(l.Remedy.Summary), Index: i}
	}
	list.FieldConfig.Overrides = []Override{
		override("Finding", titles, 320), override("What to do", remedies, 760),
		override("Severity", map[string]Text{"info": {Color: "blue"}, "warning": {Color: "orange", Index: 1}, "error": {Color: "red", Index: 2}}, 90),
	}

	return dashboard("diagnosis", "diagnosis", "Why nothing, little or the wrong things were seen, as far as wiretell can prove it, and what to do.",
		stat(8, "Errors", "Findings of severity error that hold now.", "short", `sum(wiretell_diagnosis_active{wiretell_diagnosis_severity="error",`+own+`}) or vector(0)`, 1),
		stat(8, "Warnings", "Findings of severity warning that hold now.", "short", `sum(wiretell_diagnosis_active{wiretell_diagnosis_severity="warning",`+own+`}) or vector(0)`, 1, 1000),
		stat(8, "For information", "Findings of severity info that hold now.", "short", `sum(wiretell_diagnosis_active{wiretell_diagnosis_severity="info",`+own+`}) or vector(0)`),
		list,
		state,
	)
}

// override shows a column's values as texts.
func override(title string, texts map[string]Text, width int) Override {
	return Override{Matcher: Option{ID: "byName", Options: title}, Properties: []Option{
		{ID: "mappings", Value: []Mapping{{Type: "value", Options: texts}}},
		{ID: "custom.width", Value: width},
		{ID: "custom.cellOptions", Value: map[string]any{"type": "auto", "wrapText": true}},
	}}
}
