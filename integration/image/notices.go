package image

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// legal is how files with licences and notices are named.
var legal = regexp.MustCompile(`(?i)^(licen[cs]e|notice|copying|copyright|patents)(\.|-|$)`)

// notices returns the licences and notices of all that is in the image, each
// text once, below the names of what it is of: of the modules whose packages
// are linked into wiretell, from the packages' folders up to the modules', of
// Go's library, and of the root certificates.
func notices(ctx context.Context, dir, architecture string) ([]byte, error) {
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOWORK=off", "GOFLAGS="}
	if architecture != "" {
		env = append(env, "GOARCH="+architecture)
	}
	const format = "{{with .Module}}{{.Path}} {{.Version}}\t{{.Dir}}{{else}}Go's library\t{{.Root}}{{end}}\t{{.Dir}}"
	list, err := goCommand(ctx, dir, env, "list", "-mod=readonly", "-deps", "-f", format, "./cmd/wiretell", "golang.org/x/crypto/x509roots/fallback/bundle")
	if err != nil {
		return nil, err
	}
	owners := map[string][]string{} // of each text
	licensed := map[string]bool{}
	seen := map[string]bool{} // folders
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		owner, root, folder := strings.TrimSpace(f[0]), f[1], f[2]
		if !licensed[owner] {
			licensed[owner] = false
		}
		for ; !seen[folder] && strings.HasPrefix(folder, root); folder = filepath.Dir(folder) {
			seen[folder] = true
			entries, err := os.ReadDir(folder)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.IsDir() || !legal.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
					continue
				}
				name := filepath.Join(folder, e.Name())
				data, err := os.ReadFile(name)
				if err != nil {
					return nil, err
				}
				text := strings.TrimSpace(string(data))
				owners[text] = append(owners[text], owner+", "+strings.TrimPrefix(name, root+"/"))
				licensed[owner] = true
			}
		}
	}
	for owner, ok := range licensed {
		if !ok {
			return nil, fmt.Errorf("%s has no licence", owner)
		}
	}
	var b bytes.Buffer
	b.WriteString("The licences and notices of what is in this image. The source of a module is what its path and\n" +
		"version name, https://proxy.golang.org has it. The root certificates are those of Mozilla's\n" +
		"certdata.txt, under https://www.mozilla.org/MPL/2.0/.\n")
	for _, names := range owners {
		slices.Sort(names)
	}
	texts := slices.SortedFunc(maps.Keys(owners), func(a, b string) int { return strings.Compare(owners[a][0], owners[b][0]) })
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), text)
	}
	return b.Bytes(), nil
}
