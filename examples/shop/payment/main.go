// Command payment charges cards: POST /charge, on port 8080. With DOWN=true in
// the environment it answers 503 to everything.
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	down := os.Getenv("DOWN") == "true"
	http.HandleFunc("POST /charge", func(w http.ResponseWriter, _ *http.Request) {
		if down {
			http.Error(w, "come back later", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	log.Println("payment listens")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
