package diagnosis

import (
	"strings"
	"testing"
	"time"
)

// TestBesideSDK: the mode is said once at the beginning and once when it
// changes, and not again for hours.
func TestBesideSDK(t *testing.T) {
	w := newWorld(t)
	w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", BesideSDK: BesideSDKAuto}, {Exporter: "otlp-json", Signal: "traces", BesideSDK: BesideSDKAuto}}
	hours := func() {
		for range 240 {
			w.healthy()
			w.tick(30 * time.Second)
		}
	}
	w.tick(0)
	hours()
	w.exports[0].BesideSDK, w.exports[1].BesideSDK = BesideSDKProved, BesideSDKProved
	hours()
	var told []string
	for _, f := range w.findings {
		if f.ID == "SELF-02" {
			told = append(told, f.State.String()+" "+f.Body)
		}
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "raised Spans of the wire are SERVER and CLIENT: nothing proves") ||
		!strings.HasPrefix(told[1], "changed Spans of the wire are INTERNAL: the application makes spans itself") {
		t.Errorf("told %q", told)
	}
	for _, s := range told {
		if !strings.Contains(s, "--beside-sdk yes|no") {
			t.Errorf("%q names no setting", s)
		}
	}
}
