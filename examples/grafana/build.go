package grafana

import (
	"net/url"
	"strings"
)

// Dashboards returns all dashboards.
func Dashboards() []Dashboard {
	return []Dashboard{overview(), failures(), findings(), self()}
}

const tag = "wiretell"

// Sources of data, which the reader of a dashboard chooses.
var (
	metrics = Datasource{Type: "prometheus", UID: "${metrics}"}
	traces  = Datasource{Type: "jaeger", UID: "${traces}"}
)

// dashboard gives what all have in common, and every panel its place.
func dashboard(uid, title, description string, panels ...Panel) Dashboard {
	return Dashboard{
		UID: "wiretell-" + uid, Title: "wiretell / " + title, Description: description,
		Tags: []string{tag}, Editable: true, GraphTooltip: 1, Refresh: "30s", SchemaVersion: 39,
		Time:  TimeRange{From: "now-1h", To: "now"},
		Links: []Link{{Title: "wiretell", Type: "dashboards", Tags: []string{tag}, IncludeVars: true, KeepTime: true}},
		Templating: Templating{List: []Variable{
			{Name: "metrics", Label: "Metrics", Type: "datasource", Query: metrics.Type},
			{Name: "traces", Label: "Traces", Type: "datasource", Query: traces.Type},
			{Name: "service", Label: "Service", Type: "query", Datasource: &metrics, Refresh: 2, Sort: 1,
				Query: map[string]any{"query": "label_values(wiretell_packets_total, job)", "refId": "service"},
				Multi: true, IncludeAll: true, AllValue: ".+", Current: map[string]any{"text": []string{"All"}, "value": []string{"$__all"}}},
		}},
		Panels: place(panels),
	}
}

// place numbers panels and puts them on the grid in the order given.
func place(panels []Panel) []Panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i].GridPos
		if x+p.W > 24 {
			x, y, height = 0, y+height, 0
		}
		p.X, p.Y = x, y
		x, height = x+p.W, max(height, p.H)
		panels[i].ID = i + 1
	}
	return panels
}

func row(title string) Panel {
	return Panel{Type: "row", Title: title, GridPos: GridPos{H: 1, W: 24}}
}

// query is an expression and the legend of its series.
type query struct{ expr, legend string }

// series is a panel of lines over time.
func series(w int, title, description, unit string, queries ...query) Panel {
	p := panel("timeseries", w, 8, title, description, unit)
	p.FieldConfig.Defaults.Min = number(0)
	p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 10, "showPoints": "auto", "spanNulls": false}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}, "showLegend": true},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	for _, q := range queries {
		p.ask(Target{Expr: q.expr, LegendFormat: q.legend, Range: true})
	}
	return p
}

// stat is one number, which is coloured from each of the steps on: yellow, red.
func stat(w int, title, description, unit, expr string, steps ...float64) Panel {
	p := panel("stat", w, 4, title, description, unit)
	p.FieldConfig.Defaults.Thresholds = &Thresholds{Mode: "absolute", Steps: []Step{{Color: "green"}}}
	for i, value := range steps {
		color := "red"
		if i+1 < len(steps) {
			color = "yellow"
		}
		p.FieldConfig.Defaults.Thresholds.Steps = append(p.FieldConfig.Defaults.Thresholds.Steps, Step{Color: color, Value: number(value)})
	}
	p.FieldConfig.Defaults.NoValue = "no data"
	p.Options = map[string]any{
		"colorMode": "background", "graphMode": "none", "textMode": "value",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	p.ask(Target{Expr: expr, LegendFormat: title, Instant: true})
	return p
}

// table is the present value of each series, its labels as columns.
func table(w, h int, title, description, unit, expr string, columns ...column) Panel {
	p := panel("table", w, h, title, description, unit)
	p.ask(Target{Expr: expr, LegendFormat: "__auto", Format: "table", Instant: true})
	order, names := map[string]int{}, map[string]string{}
	for i, c := range columns {
		order[c.field], names[c.field] = i, c.title
	}
	p.Transformations = []map[string]any{{"id": "organize", "options": map[string]any{
		"excludeByName": map[string]bool{"Time": true}, "indexByName": order, "renameByName": names,
	}}}
	p.Options = map[string]any{"cellHeight": "sm", "showHeader": true}
	return p
}

// column is a label, or "Value", and the column's title.
type column struct{ field, title string }

func panel(kind string, w, h int, title, description, unit string) Panel {
	source := metrics
	return Panel{
		Type: kind, Title: title, Description: description, GridPos: GridPos{H: h, W: w}, Datasource: &source,
		FieldConfig: &FieldConfig{Defaults: Field{Unit: unit}, Overrides: []Override{}},
	}
}

// ask adds a query.
func (p *Panel) ask(t Target) {
	t.RefID = string(rune('A' + len(p.Targets)))
	t.Datasource = *p.Datasource
	p.Targets = append(p.Targets, t)
}

// linked adds a link from each value to the traces of its service that have
// the tags, in logfmt; ${...} stands for labels of the value.
func (p Panel) linked(title, tags string) Panel {
	p.FieldConfig.Defaults.Links = append(p.FieldConfig.Defaults.Links, Link{Title: title, URL: explore(tags)})
	return p
}

// limited sets the greatest value of the axis.
func (p Panel) limited(most float64) Panel {
	p.FieldConfig.Defaults.Max = number(most)
	return p
}

// explore is the address of a search for traces, relative to Grafana's own.
func explore(tags string) string {
	quoted := strings.ReplaceAll(tags, `"`, `\"`)
	panes := `{"t":{"datasource":"${traces}","queries":[{"refId":"A","datasource":{"type":"jaeger","uid":"${traces}"},` +
		`"queryType":"search","service":"${__field.labels.job}","tags":"` + quoted + `","limit":50}],` +
		`"range":{"from":"${__from}","to":"${__to}"}}}`
	// Grafana fills in ${...} before the browser decodes the rest.
	var b strings.Builder
	b.WriteString("/explore?schemaVersion=1&orgId=1&panes=")
	for {
		before, rest, found := strings.Cut(panes, "${")
		b.WriteString(strings.ReplaceAll(url.QueryEscape(before), "+", "%20"))
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString("${" + name + "}")
		panes = after
	}
}

func number(f float64) *float64 { return &f }
