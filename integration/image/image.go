package image

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Image is what a container starts from.
type Image struct {
	// Architecture is Go's name, which is also the registry's: amd64, arm64.
	Architecture string
	Config       Config
	Files        []File
	// Created is the time that all files and the image have; zero stands for
	// the beginning of 1970.
	Created time.Time
}

// Config says how a container of the image starts. It is Docker's and OCI's
// image configuration, of which only what is used here has a name.
type Config struct {
	User       string            `json:"User,omitempty"` // uid:gid
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
	// Healthcheck is Docker's own; OCI has no such field.
	Healthcheck *Healthcheck `json:"Healthcheck,omitempty"`
}

// Healthcheck is a command that Docker runs now and then, as often as it does by
// default.
type Healthcheck struct {
	Test []string `json:"Test"` // "CMD", program, arguments
}

// File is a file or folder of an image. The folders above it need not be
// named: those that are not belong to root and are readable for everybody.
type File struct {
	Path string // from the root, as "/etc/passwd"
	Mode fs.FileMode
	UID  int // owner and group
	Data []byte
	// NetRaw gives the file the capability cap_net_raw=p: who executes it is
	// permitted CAP_NET_RAW, if the container has it, and has to raise it.
	NetRaw bool
}

// netRaw is the extended attribute security.capability for cap_net_raw=p:
// struct vfs_ns_cap_data, version 2, without the effective bit; see
// capabilities(7) and include/uapi/linux/capability.h.
//
// It is not +ep. With the effective bit the kernel refuses to execute the file
// where the container lacks the capability, and wiretell could not say why.
var netRaw = []byte{
	0, 0, 0, 2, // VFS_CAP_REVISION_2, no VFS_CAP_FLAGS_EFFECTIVE
	0, 1 << 5, 0, 0, // permitted: bit 13 is CAP_NET_RAW
	0, 0, 0, 0, // inheritable
	0, 0, 0, 0, 0, 0, 0, 0, // the upper halves of both
}

const capabilityAttribute = "security.capability"

// tree returns the files of img with all folders above them, in the order of
// their paths, which begin without a slash.
func (img *Image) tree() []File {
	var files []File
	known := map[string]bool{}
	for _, f := range img.Files {
		f.Path = strings.Trim(path.Clean("/"+f.Path), "/")
		files, known[f.Path] = append(files, f), true
	}
	for _, f := range files[:len(files):len(files)] {
		for dir := path.Dir(f.Path); dir != "." && !known[dir]; dir = path.Dir(dir) {
			files, known[dir] = append(files, File{Path: dir, Mode: fs.ModeDir | 0o755}), true
		}
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return files
}

// created returns the time of everything in img.
func (img *Image) created() time.Time {
	if img.Created.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return img.Created.UTC().Truncate(time.Second)
}
