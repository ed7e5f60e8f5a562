package diagnosis

import (
	"strconv"
	"strings"
)

// expand fills a leaf's template with the words that lookup knows.
func expand(text string, lookup func(string) (string, bool)) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	var out strings.Builder
	for text != "" {
		before, optional, found := strings.Cut(text, "[[")
		s, _ := fill(before, lookup)
		out.WriteString(s)
		if !found {
			break
		}
		optional, text, _ = strings.Cut(optional, "]]")
		if s, whole := fill(optional, lookup); whole {
			out.WriteString(s)
		}
	}
	return out.String()
}

// fill replaces every {{name}}, {{name one|many}} (the number and the noun that
// fits it) and {{name: one|many}} (the word alone); whole is false when one had
// no value, for which "(not known)" stands in. {{name?}} stands for nothing:
// it has a value when name is true.
func fill(text string, lookup func(string) (string, bool)) (_ string, whole bool) {
	var out strings.Builder
	whole = true
	for {
		before, rest, found := strings.Cut(text, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), whole
		}
		var name string
		name, text, _ = strings.Cut(rest, "}}")
		p := parsePlaceholder(name)
		s, ok := lookup(p.name)
		if p.truth {
			whole = whole && s == "true"
			continue
		}
		if !ok || s == "" {
			s, whole = "(not known)", false
		}
		out.WriteString(p.inflect(s))
	}
}

// runLive is what {{run}} stands for, but over a capture file.
const runLive = "wiretell run"

// placeholder is what stands between {{ and }}.
type placeholder struct {
	name      string
	one, many string // forms of the word that goes with the number; "" for none
	alone     bool   // without the number
	truth     bool   // nothing but a condition
}

func parsePlaceholder(text string) placeholder {
	var p placeholder
	name, forms, _ := strings.Cut(text, " ")
	p.one, p.many, _ = strings.Cut(forms, "|")
	name, p.truth = strings.CutSuffix(name, "?")
	p.name, p.alone = strings.CutSuffix(name, ":")
	return p
}

// inflect returns the number and the form of the word that fits it.
func (p placeholder) inflect(number string) string {
	form := p.many
	if number == "1" {
		form = p.one
	}
	switch {
	case p.alone:
		return form
	case form == "":
		return number
	}
	return number + " " + form
}

// word formats an evidence value for a sentence.
func word(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}

// words returns the lookup for a hit.
func words(h *hit) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := range h.evidence {
			if h.evidence[i].Key == name {
				return word(h.evidence[i].Value), true
			}
		}
		switch s := h.subject; name {
		case "port":
			return strconv.Itoa(int(s.Port)), true // 0 is a port, too: a bad one
		case "direction":
			return s.way(), s.way() != ""
		case "interface":
			return s.Interface, s.Interface != ""
		case "peer":
			return s.Peer.String(), s.Peer.IsValid()
		case "remote": // the peer, where it is not this namespace itself
			return s.Peer.String(), s.Peer.IsValid() && s.Interface == ""
		}
		return "", false
	}
}
