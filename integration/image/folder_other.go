//go:build !linux

package image

import "errors"

// WriteFolder needs Linux: other systems have no file capabilities.
func (img *Image) WriteFolder(string) error {
	return errors.ErrUnsupported
}
