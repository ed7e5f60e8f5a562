// Command mkimage compiles wiretell and makes its image: an archive for
// `docker load` and programs that read OCI layouts, or, for the Dockerfile, a
// folder with the files.
//
// What the flags do not say comes from the environment: VERSION, REVISION,
// TARGETARCH, and SOURCE_DATE_EPOCH (the time of all files, in seconds).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/wiretell/wiretell/integration/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	output := flag.String("o", "", "write an archive to this `file`")
	folder := flag.String("folder", "", "write the files of the first architecture below this `folder`")
	architectures := flag.String("arch", cmp.Or(os.Getenv("TARGETARCH"), runtime.GOARCH), "make the image for these `architectures`, separated by commas; docker load tags the first")
	version := flag.String("version", os.Getenv("VERSION"), "`version` that wiretell tells")
	tag := flag.String("tag", "", "`name` of the image in the archive (default wiretell/wiretell:VERSION)")
	flag.Parse()
	if *output == "" && *folder == "" || flag.NArg() > 0 {
		flag.Usage()
		return errors.New("-o or -folder must be given, and nothing else")
	}
	r := image.Release{Version: cmp.Or(*version, "devel"), Revision: os.Getenv("REVISION")}
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		r.Created = time.Unix(seconds, 0)
	}
	var images []*image.Image
	for _, arch := range strings.Split(*architectures, ",") {
		img, err := image.Wiretell(ctx, arch, r)
		if err != nil {
			return err
		}
		images = append(images, img)
	}
	if *folder != "" {
		if err := images[0].WriteFolder(*folder); err != nil {
			return err
		}
	}
	if *output == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(*output), 0o755); err != nil {
		return err
	}
	f, err := os.Create(*output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// A tag holds no "+", which versions may, and is written without "v".
	return image.WriteArchive(f, cmp.Or(*tag, image.Name+":"+strings.ReplaceAll(strings.TrimPrefix(r.Version, "v"), "+", "-")), images...)
}
