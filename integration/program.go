package integration

import (
	"context"
	"path"

	"github.com/moby/moby/client"

	"github.com/wiretell/wiretell/integration/image"
)

// Program compiles a Go main package, as the go command names it, to a static
// binary, gives it to the engine as an image that holds nothing else, and
// returns the image's name, each package once in a process. It is for tests of
// services written in Go: no Dockerfile, no base image, no registry.
func Program(ctx context.Context, pkg string) (string, error) {
	return once(pkg, func() (string, error) { return program(ctx, pkg) })
}

func program(ctx context.Context, pkg string) (string, error) {
	e, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer e.Close()
	info, err := e.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", err
	}
	arch := architecture(info.Info.Architecture)
	binary, err := image.Compile(ctx, image.Program{Package: pkg, Architecture: arch})
	if err != nil {
		return "", err
	}
	return e.devel(ctx, path.Base(pkg), &image.Image{
		Architecture: arch,
		Config:       image.Config{User: "65532:65532", Entrypoint: []string{"/program"}},
		Files:        []image.File{{Path: "/program", Mode: 0o755, Data: binary}},
	})
}

// Load gives the engine an image that a test has put together, and returns its
// name, which is the program's and a hash of what the image holds.
func Load(ctx context.Context, program string, img *image.Image) (string, error) {
	e, err := connect(ctx)
	if err != nil {
		return "", err
	}
	defer e.Close()
	return e.devel(ctx, program, img)
}

// Image returns the name of the image of wiretell that [Attach] takes, which it
// makes when it is not there. It is for tests that start wiretell themselves.
func Image(ctx context.Context) (string, error) {
	return once("wiretell", func() (string, error) {
		e, err := connect(ctx)
		if err != nil {
			return "", err
		}
		defer e.Close()
		return e.image(ctx)
	})
}
