// Command stock stands in for a database: it keeps how many of each item there
// are, and takes "TAKE item" in a line of text, over TCP on port 5000. It
// answers with "OK" or "NONE".
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
)

func main() {
	l, err := net.Listen("tcp", ":5000")
	if err != nil {
		log.Fatal(err)
	}
	s := &stock{left: map[string]int{"tea": 10, "cup": 1}}
	log.Println("stock listens")
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go s.serve(c)
	}
}

type stock struct {
	mu   sync.Mutex
	left map[string]int
}

func (s *stock) serve(c net.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		item, ok := strings.CutPrefix(lines.Text(), "TAKE ")
		if !ok {
			fmt.Fprintln(c, "WHAT")
			continue
		}
		if s.take(item) {
			fmt.Fprintln(c, "OK")
		} else {
			fmt.Fprintln(c, "NONE")
		}
	}
}

func (s *stock) take(item string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left[item] == 0 {
		return false
	}
	s.left[item]--
	return true
}
