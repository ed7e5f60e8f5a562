// Command probe is a server that does what a test asks of it by the path:
//
//	/status/503           answers with that status
//	/reset                resets the connection
//	/fetch?url=U&times=N  requests U so many times, and tells the statuses
//	/lookup?name=N        looks a name up
//	/raw?addr=A           sends bytes that are no HTTP
//
// It listens at port 8080, or at the address that is its argument.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	http.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil {
			code = http.StatusBadRequest
		}
		w.WriteHeader(code)
	})
	http.HandleFunc("/reset", func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			log.Print(err)
			return
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing resets now
		}
		_ = c.Close()
	})
	client := &http.Client{Timeout: 5 * time.Second}
	http.HandleFunc("/fetch", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("times"))
		if err != nil {
			n = 1
		}
		for range n {
			resp, err := client.Get(r.FormValue("url"))
			if err != nil {
				fmt.Fprintln(w, err)
				continue
			}
			_ = resp.Body.Close()
			fmt.Fprintln(w, resp.StatusCode)
		}
	})
	http.HandleFunc("/lookup", func(w http.ResponseWriter, r *http.Request) {
		addresses, err := net.LookupHost(r.FormValue("name"))
		fmt.Fprintln(w, addresses, err)
	})
	http.HandleFunc("/raw", func(w http.ResponseWriter, r *http.Request) {
		c, err := net.Dial("tcp", r.FormValue("addr"))
		if err != nil {
			fmt.Fprintln(w, err)
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "\x01\x02\x03 this is no protocol that anybody knows\n")
		time.Sleep(100 * time.Millisecond)
	})
	address := ":8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	log.Println("probe listens")
	log.Fatal(http.ListenAndServe(address, nil))
}
