package image

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteFolder writes the files of img below dir, as a stage of a Dockerfile
// hands them on. It needs root, for the owners and CAP_SETFCAP for the
// capability.
func (img *Image) WriteFolder(dir string) error {
	for _, f := range img.tree() {
		if err := f.write(filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return fmt.Errorf("image folder: %w", err)
		}
	}
	files := img.tree()
	for i := len(files) - 1; i >= 0; i-- { // a folder's time after what is in it
		name := filepath.Join(dir, filepath.FromSlash(files[i].Path))
		if err := os.Chtimes(name, img.created(), img.created()); err != nil {
			return fmt.Errorf("image folder: %w", err)
		}
	}
	return os.Chtimes(dir, img.created(), img.created())
}

func (f *File) write(name string) error {
	if f.Mode.IsDir() {
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
	} else {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			return err
		}
	}
	if err := os.Lchown(name, f.UID, f.UID); err != nil {
		return err
	}
	if err := os.Chmod(name, f.Mode.Perm()); err != nil {
		return err
	}
	if !f.NetRaw {
		return nil
	}
	// After the owner: chown takes capabilities away.
	if err := unix.Setxattr(name, capabilityAttribute, netRaw, 0); err != nil {
		return &fs.PathError{Op: "set " + capabilityAttribute, Path: name, Err: err}
	}
	return nil
}
