// Command reaper stands in for Ryuk, testcontainers' cleaner, where its image
// cannot be had: it speaks the same protocol. Each line that a client sends names
// labels, as label=NAME=VALUE joined by &, and is answered with ACK; when no
// client is left, containers and networks with these labels are removed.
package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/client"
)

func main() {
	log.SetFlags(0)
	engine, err := client.New(client.FromEnv)
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Started")
	sets := serve(ln, setting("RYUK_CONNECTION_TIMEOUT", time.Minute), setting("RYUK_RECONNECTION_TIMEOUT", 10*time.Second))
	for _, labels := range sets {
		if err := reap(context.Background(), engine, labels); err != nil {
			log.Print(err)
		}
	}
}

func setting(name string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(os.Getenv(name))
	if err != nil {
		return otherwise
	}
	return d
}

// serve takes labels until no client has been there for a while: the first may
// take so long, one that comes again so long.
func serve(ln net.Listener, first, again time.Duration) [][]string {
	var mu sync.Mutex
	sets := map[string][]string{}
	clients := 0
	quiet := time.AfterFunc(first, func() { ln.Close() })
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		quiet.Stop()
		if clients += n; clients == 0 {
			quiet.Reset(again)
		}
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			break
		}
		count(1)
		go func() {
			defer count(-1)
			defer conn.Close()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				filter, err := url.ParseQuery(lines.Text())
				if err != nil || len(filter["label"]) == 0 {
					log.Printf("no labels: %q", lines.Text())
					return
				}
				mu.Lock()
				sets[lines.Text()] = filter["label"]
				mu.Unlock()
				fmt.Fprintln(conn, "ACK")
			}
		}()
	}
	mu.Lock()
	defer mu.Unlock()
	var all [][]string
	for _, labels := range sets {
		all = append(all, labels)
	}
	return all
}

func reap(ctx context.Context, engine *client.Client, labels []string) error {
	filter := client.Filters{}.Add("label", labels...)
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return err
	}
	var failed error
	for _, c := range containers.Items {
		_, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		failed = cmp.Or(failed, err)
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		return err
	}
	for _, n := range networks.Items {
		_, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		failed = cmp.Or(failed, err)
	}
	return failed
}
