package wiretellreceiver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

// Config is the receiver's configuration: the settings of "wiretell run" that
// say what is observed and how, under their names, with _ or - between words.
// Where telemetry goes is the Collector's to say.
type Config struct {
	pipeline.Settings `mapstructure:",squash"`
	pipeline.Live     `mapstructure:",squash"`

	// ServiceName and Resource describe the service whose traffic is observed. The
	// variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of a Collector's
	// environment describe the Collector, and are not read.
	ServiceName string            `mapstructure:"service_name"`
	Resource    map[string]string `mapstructure:"resource_attributes"`
	// Interval is the time between two collections of metrics.
	Interval time.Duration `mapstructure:"collection_interval"`
}

func defaultConfig() component.Config {
	c := &Config{Settings: pipeline.DefaultSettings(), Live: pipeline.DefaultLive(), Interval: time.Minute}
	c.Name = settingName
	return c
}

// settingName writes a flag's name as it is in a Collector's configuration.
func settingName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// lists are the settings that take a value or a list of values.
var lists = []string{"port", "interface", "request_header", "response_header", "route"}

// Unmarshal takes what a YAML file of settings may hold too: names with -, one
// value for a list, and ports as numbers.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	// What is not written anew stays as it is: of a variable both its text and what
	// that is in YAML, so that 007 may name a service.
	settings := confmap.New()
	if err := settings.Merge(conf); err != nil {
		return err
	}
	for key, value := range conf.ToStringMap() {
		name := settingName(key)
		if name != key && conf.IsSet(name) {
			return fmt.Errorf("%s is set twice, with - and with _", name)
		}
		if slices.Contains(lists, name) && value != nil {
			values, ok := value.([]any)
			if !ok {
				values = []any{value}
			}
			words := make([]any, len(values))
			for i, v := range values {
				words[i] = fmt.Sprint(v)
			}
			value = words
		} else if name == key {
			continue
		}
		settings.Delete(key)
		if err := settings.Merge(confmap.NewFromStringMap(map[string]any{name: value})); err != nil {
			return err
		}
	}
	type config Config // without this method
	return settings.Unmarshal((*config)(c))
}

// Validate reports settings that cannot be meant, in the words of the command line.
func (c *Config) Validate() error {
	_, _, err := c.Observer(capture.LinkEthernet)
	if err == nil {
		err = c.CheckLive(&c.Live)
	}
	if err == nil && c.Interval <= 0 {
		err = &pipeline.Mistake{Text: "collection_interval must be greater than 0"}
	}
	var m *pipeline.Mistake
	if errors.As(err, &m) && m.Hint != "" {
		return fmt.Errorf("%w (%s)", m, m.Hint)
	}
	return err
}
