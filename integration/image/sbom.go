package image

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// bom returns a CycloneDX 1.5 document of what is in the image: the modules
// that are linked into the binary, Go's library, and the root certificates. It
// comes from these bytes alone, and has no time and no serial number, so that
// the same image has the same document.
func bom(binary, certificates []byte, version string) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, fmt.Errorf("read the build information of wiretell: %w", err)
	}
	type hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	type component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
		PURL    string `json:"purl,omitempty"`
		Hashes  []hash `json:"hashes,omitempty"`
	}
	module := func(kind, name, version string) component {
		purl := "pkg:golang/" + name
		if version != "" {
			purl += "@" + strings.ReplaceAll(version, "+", "%2B")
		}
		return component{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl}
	}
	self := module("application", info.Main.Path, version)
	components := []component{module("library", "stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, module("library", m.Path, m.Version))
	}
	sum := sha256.Sum256(certificates)
	components = append(components, component{
		Type: "file", Ref: rootsPath, Name: rootsPath, Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	})
	refs := make([]string, 0, len(components))
	for _, c := range components {
		refs = append(refs, c.Ref)
	}
	return json.MarshalIndent(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":     map[string]any{"component": self},
		"components":   components,
		"dependencies": []any{map[string]any{"ref": self.Ref, "dependsOn": refs}},
	}, "", " ")
}
