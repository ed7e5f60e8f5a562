// Package shop shows an integration suite with wiretell: it starts the shop's
// services in containers and says what must be on the wire.
package shop

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/wiretell/wiretell/integration"
	"github.com/wiretell/wiretell/integration/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// Two orders are two charges, and the network is healthy.
func TestOrders(t *testing.T) {
	t.Parallel()
	orders := startShop(t, nil)
	wire, err := integration.Attach(t.Context(), orders, integration.For(t))
	if err != nil {
		t.Fatal(err)
	}

	want(t, post(t, orders, "/orders?item=tea"), http.StatusCreated)
	want(t, post(t, orders, "/orders?item=cup"), http.StatusCreated)
	want(t, post(t, orders, "/orders?item=cup"), http.StatusConflict) // there was one

	wire.Expect(t,
		integration.Called("payment").Method("POST").Path("/charge").Times(2).Succeeded(),
		integration.Served().Path("/orders").Times(3),
		integration.NoRetryStorm(),
		integration.NoReset(),
		integration.NoFailedConnect(),
		integration.NothingUnparsed("unknown_protocol"), // the stock's own
	)
}

// Where payment is down an order fails after three tries, and not after more.
func TestPaymentDown(t *testing.T) {
	t.Parallel()
	orders := startShop(t, map[string]string{"DOWN": "true"})
	wire, err := integration.Attach(t.Context(), orders, integration.For(t))
	if err != nil {
		t.Fatal(err)
	}

	want(t, post(t, orders, "/orders?item=tea"), http.StatusBadGateway)

	wire.Expect(t,
		integration.Called("payment").Times(3).Status(http.StatusServiceUnavailable),
		integration.NoMoreRetries(2),
		integration.Served().Path("/orders").Times(1).Status(http.StatusBadGateway),
		integration.NoReset(),
	)
}

// startShop starts stock, payment and orders on a network of their own and
// returns orders.
func startShop(t *testing.T, payment map[string]string) testcontainers.Container {
	t.Helper()
	enginetest.Require(t)
	nw, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, nw)
	start(t, nw, "stock", nil)
	start(t, nw, "payment", payment)
	return start(t, nw, "orders", nil, testcontainers.WithExposedPorts("8080/tcp"))
}

// start compiles a service, puts it into an image and starts it.
func start(t *testing.T, nw *testcontainers.DockerNetwork, name string, env map[string]string, opts ...testcontainers.ContainerCustomizer) testcontainers.Container {
	t.Helper()
	image, err := integration.Program(t.Context(), "./"+name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := testcontainers.Run(t.Context(), image, append(opts,
		network.WithNetwork([]string{name}, nw),
		testcontainers.WithEnv(env),
		testcontainers.WithWaitStrategy(wait.ForLog(name+" listens")))...)
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func post(t *testing.T, c testcontainers.Container, path string) int {
	t.Helper()
	base, err := c.PortEndpoint(t.Context(), "8080/tcp", "http")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(base+path, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s %s", path, resp.Status, body)
	return resp.StatusCode
}

func want(t *testing.T, got, status int) {
	t.Helper()
	if got != status {
		t.Errorf("status %d, want %d", got, status)
	}
}
