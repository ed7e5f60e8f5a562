package integration_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/integration"
)

// In a test: what the container under test may do, and what not.
func ExampleAttach() {
	test := func(t *testing.T) {
		shop, err := testcontainers.Run(t.Context(), "shop", testcontainers.WithExposedPorts("8080/tcp"))
		testcontainers.CleanupContainer(t, shop)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := integration.Attach(t.Context(), shop, integration.For(t))
		if err != nil {
			t.Fatal(err)
		}
		base, err := shop.PortEndpoint(t.Context(), "8080/tcp", "http")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := http.Post(base+"/orders", "text/plain", nil); err != nil {
			t.Fatal(err)
		}

		wire.Expect(t,
			integration.Called("payment").Path("/charge").Times(2).Succeeded(),
			integration.NoRetryStorm(),
			integration.NoReset(),
			integration.NothingUnparsed(),
		)
	}
	_ = test
}

// Without a test: any program that runs containers.
func ExampleSidecar_WaitFor() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	shop, err := testcontainers.Run(ctx, "shop")
	if err != nil {
		log.Fatal(err)
	}
	wire, err := integration.Attach(ctx, shop, integration.WithEnv("OTEL_SERVICE_NAME", "shop"))
	if err != nil {
		log.Fatal(err)
	}
	if err := wire.WaitFor(ctx, integration.Called("stock:5432")); err != nil {
		log.Fatal(err)
	}
	if err := wire.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	for _, e := range wire.Exchanges() {
		fmt.Println(e)
	}
}

// A check says what is otherwise, with the exchanges that show it.
func ExampleCalled() {
	start := time.Unix(1_700_000_000, 0)
	told := &integration.Telemetry{Spans: []integration.Span{{
		Kind: ptrace.SpanKindClient, Start: start, End: start.Add(3 * time.Millisecond),
		Attributes: integration.Attributes{
			"http.request.method": "POST", "url.full": "http://payment:8080/charge",
			"server.address": "payment", "server.port": int64(8080), "http.response.status_code": int64(503), "error.type": "503",
		},
	}}}
	fmt.Println(told.Holds(integration.Called("payment").Path("/charge").Times(2).Succeeded()))
	fmt.Println(told.Holds(integration.Called("payment").Path("/charge").Succeeded()))
	fmt.Println(told.Holds(integration.Called("stock").Never()))
	// Output:
	// called payment /charge: once, want twice
	//   out POST http://payment:8080/charge 503 in 3ms
	// called payment /charge: 1 of 1 not answered with 2xx
	//   out POST http://payment:8080/charge 503 in 3ms
	// <nil>
}

// A check of one's own is a function.
func ExampleCheckFunc() {
	slow := integration.CheckFunc(func(t *integration.Telemetry) error {
		for _, e := range t.Exchanges() {
			if e.Duration() > time.Second {
				return fmt.Errorf("too slow: %s", e)
			}
		}
		return nil
	})
	fmt.Println((&integration.Telemetry{}).Holds(slow))
	// Output: <nil>
}
