// Command orders takes orders: POST /orders?item=NAME, on port 8080. It takes
// the item out of the stock (stock:5000) and charges it (http://payment:8080),
// which it tries three times.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("POST /orders", order)
	log.Println("orders listens")
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func order(w http.ResponseWriter, r *http.Request) {
	switch found, err := take(r.FormValue("item")); {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	case !found:
		http.Error(w, "sold out", http.StatusConflict)
		return
	}
	if err := charge(); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// take reports whether the stock had the item.
func take(item string) (bool, error) {
	c, err := net.DialTimeout("tcp", "stock:5000", 5*time.Second)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return false, err
	}
	if _, err := fmt.Fprintf(c, "TAKE %s\n", item); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	return answer == "OK\n", err
}

var client = &http.Client{Timeout: 5 * time.Second}

func charge() error {
	var status string
	for try := range 3 {
		time.Sleep(time.Duration(try) * 50 * time.Millisecond)
		resp, err := client.Post("http://payment:8080/charge", "text/plain", nil)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusCreated {
			return nil
		}
		status = resp.Status
	}
	return fmt.Errorf("payment says %s", status)
}
