package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/wiretell/wiretell/integration/image"
)

// engine is the Docker engine that testcontainers uses.
type engine struct {
	*testcontainers.DockerClient
}

func connect(ctx context.Context) (*engine, error) {
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("no Docker engine answers: %w", err)
	}
	return &engine{c}, nil
}

// built holds the names of the images that this process has made, by what they
// are made of, so that each is made once.
var built struct {
	sync.Mutex
	names map[string]string
}

// once returns the name that make returned for key the first time.
func once(key string, make func() (string, error)) (string, error) {
	built.Lock()
	defer built.Unlock()
	name := built.names[key]
	if name != "" {
		return name, nil
	}
	name, err := make()
	if err != nil {
		return "", err
	}
	if built.names == nil {
		built.names = map[string]string{}
	}
	built.names[key] = name
	return name, nil
}

// image returns the name of wiretell's image and makes it when it is not there.
func (e *engine) image(ctx context.Context) (string, error) {
	dir, version, err := image.Source(ctx)
	if err != nil {
		return "", err
	}
	name := repositoryName + ":" + strings.ReplaceAll(version, "+", "-")
	if version != "" {
		found, err := e.hasImage(ctx, name)
		if err != nil || found {
			return name, err
		}
	}
	info, err := e.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf("ask the engine for its platform: %w", err)
	}
	img, err := image.Wiretell(ctx, architecture(info.Info.Architecture), image.Release{Dir: dir, Version: version})
	if err != nil {
		return "", fmt.Errorf("make the image of wiretell: %w", err)
	}
	if version == "" { // the source may change
		return e.devel(ctx, "wiretell", img)
	}
	return name, e.load(ctx, name, img)
}

// repositoryName is what images made by this package are called. They are
// never pulled and never pushed.
const repositoryName = "wiretell-integration"

// load gives an image to the engine, unless it has it.
func (e *engine) load(ctx context.Context, name string, img *image.Image) error {
	if found, err := e.hasImage(ctx, name); err != nil || found {
		return err
	}
	var b bytes.Buffer
	if err := image.WriteArchive(&b, name, img); err != nil {
		return err
	}
	answer, err := e.ImageLoad(ctx, &b, client.ImageLoadWithQuiet(true))
	if err != nil {
		return fmt.Errorf("load image %s: %w", name, err)
	}
	defer answer.Close()
	said, err := io.ReadAll(answer)
	if err != nil {
		return fmt.Errorf("load image %s: %w", name, err)
	}
	if found, err := e.hasImage(ctx, name); err != nil || !found {
		return errors.Join(fmt.Errorf("load image %s: the engine says %q and does not have it", name, said), err)
	}
	return nil
}

func (e *engine) hasImage(ctx context.Context, name string) (bool, error) {
	_, err := e.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", name, err)
	}
	return true, nil
}

// devel loads an image whose source may change under a name that is made of
// all it holds, and removes those of former ones that nobody named for a day.
// That is housekeeping: what does not work now works next time.
func (e *engine) devel(ctx context.Context, program string, img *image.Image) (string, error) {
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode(img.Config); err != nil {
		return "", err
	}
	for _, f := range img.Files {
		fmt.Fprintln(sum, f.Path, f.Mode, f.UID, f.NetRaw, len(f.Data))
		sum.Write(f.Data)
	}
	name := repositoryName + ":" + program + "-" + hex.EncodeToString(sum.Sum(nil)[:6])
	list, err := e.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", repositoryName+":"+program+"-*")})
	if err != nil {
		return "", fmt.Errorf("look for images of %s: %w", program, err)
	}
	for _, i := range list.Items {
		if slices.Contains(i.RepoTags, name) {
			continue
		}
		found, err := e.ImageInspect(ctx, i.ID)
		if err == nil && !found.Metadata.LastTagTime.IsZero() && time.Since(found.Metadata.LastTagTime) > 24*time.Hour {
			_, _ = e.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{})
		}
	}
	return name, e.load(ctx, name, img)
}

// architecture turns the kernel's name of a machine into Go's.
func architecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// listen opens a port of this process that the container's network reaches:
// on the gateway of one of its networks, which is an address of this host if
// the engine runs on it. The error says why there is none.
func (e *engine) listen(ctx context.Context, c *container.InspectResponse) (net.Listener, error) {
	u, err := url.Parse(e.DaemonHost())
	if err != nil || u.Scheme != "unix" && u.Scheme != "npipe" {
		return nil, fmt.Errorf("the engine at %s is on another host", e.DaemonHost())
	}
	info, err := e.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, err
	}
	if slices.Contains(info.Info.SecurityOptions, "name=rootless") {
		return nil, errors.New("the engine is rootless: its networks are not this host's")
	}
	if c.HostConfig.NetworkMode.IsHost() {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	err = errors.New("the container has no network with a gateway")
	for _, n := range c.NetworkSettings.Networks {
		if !n.Gateway.IsValid() {
			continue
		}
		ln, bad := net.Listen("tcp", net.JoinHostPort(n.Gateway.String(), "0"))
		if bad == nil {
			return ln, nil
		}
		err = fmt.Errorf("the gateway of the container's network is no address of this host, or its ports are not open: %w", bad)
	}
	return nil, err
}

// sweep removes sidecars that were created and never started, because the test
// was killed in between. All others end and go by themselves.
func (e *engine) sweep(ctx context.Context) {
	list, err := e.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label).Add("status", "created")})
	if err != nil {
		return
	}
	for _, c := range list.Items {
		if time.Since(time.Unix(c.Created, 0)) > 10*time.Minute {
			_, _ = e.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
}

// label marks sidecars; its value is the container that they are beside.
const label = "wiretell.beside"

// pull gets an image unless it is there.
func (e *engine) pull(ctx context.Context, name string) error {
	if found, err := e.hasImage(ctx, name); err != nil || found {
		return err
	}
	answer, err := e.ImagePull(ctx, name, client.ImagePullOptions{})
	if err == nil {
		err = answer.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("pull image %s: %w", name, err)
	}
	return nil
}
