// Listens on $PORT, or with the word `inherit` on fd 3.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func listener() (net.Listener, error) {
	if len(os.Args) > 1 {
		return net.FileListener(os.NewFile(3, "http"))
	}
	return net.Listen("tcp", ":"+os.Getenv("PORT"))
}

func main() {
	listener, err := listener()
	if err != nil {
		panic(err)
	}
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
}
