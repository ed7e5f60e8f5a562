package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the path of the module that wiretell is.
const Module = "github.com/wiretell/wiretell"

// Program says what to compile.
type Program struct {
	// Dir is where the go command runs; empty is the working directory.
	Dir string
	// Package is a main package as the go command names it.
	Package string
	// Architecture is Go's name of the platform; empty is the host's.
	Architecture string
	// Version becomes the variable main.version, if the program has one.
	Version string
}

// Compile returns the program as a static binary, which depends on its source
// and the compiler alone: no path, no build ID, no state of a checkout.
func Compile(ctx context.Context, p Program) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wiretell-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	flags := "-s -w -buildid="
	if p.Version != "" {
		flags += " -X main.version=" + p.Version
	}
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOWORK=off", "GOFLAGS="}
	if p.Architecture != "" {
		env = append(env, "GOARCH="+p.Architecture)
	}
	if _, err := goCommand(ctx, p.Dir, env, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags="+flags, "-o", out, p.Package); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// Source returns the folder that holds wiretell's source, and its version: the
// one that the module in the working directory uses. The version is empty when
// the folder may change, as a checkout or the target of a replace directive.
func Source(ctx context.Context) (dir, version string, err error) {
	out, err := goCommand(ctx, "", []string{"GOFLAGS="}, "list", "-mod=readonly", "-m", "-json", Module)
	if err != nil {
		return "", "", fmt.Errorf("find the source of wiretell: %w", err)
	}
	var m struct {
		Dir, Version string
		Main         bool
		Replace      *struct{ Version string }
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return "", "", fmt.Errorf("find the source of wiretell: %w", err)
	}
	if m.Replace != nil {
		m.Version = m.Replace.Version
	}
	if m.Dir == "" { // required and not downloaded, as beside a vendor folder
		out, err := goCommand(ctx, "", []string{"GOFLAGS="}, "mod", "download", "-json", Module+"@"+m.Version)
		if err == nil {
			err = json.Unmarshal(out, &m)
		}
		if err != nil {
			return "", "", fmt.Errorf("download the source of wiretell: %w", err)
		}
	}
	return m.Dir, m.Version, nil
}

// goCommand runs the go command and returns its standard output.
func goCommand(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("go %s: the go command is not there: %w", args[0], err)
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.Bytes(), nil
}
