// floor: the least that a first sync can cost: a bare HTTP/2 loop of server-side applies, -n in flight.
//
// usage: floor -server URL -ca FILE -cert FILE -key FILE [-n 32] <LINES
//
// A line is the path of an object and its JSON, divided by a tab. Prints what it took, as JSON.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func main() {
	server := flag.String("server", "", "")
	ca, cert, key := flag.String("ca", "", ""), flag.String("cert", "", ""), flag.String("key", "", "")
	flight := flag.Int("n", 32, "requests in flight")
	flag.Parse()
	pem, err := os.ReadFile(*ca)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	must(err)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		ForceAttemptHTTP2: true, DisableCompression: true, MaxConnsPerHost: 1}}
	var lines [][2]string
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		path, body, _ := strings.Cut(in.Text(), "\t")
		lines = append(lines, [2]string{path, body})
	}
	must(in.Err())

	work := make(chan [2]string)
	var done sync.WaitGroup
	start := time.Now()
	for range *flight {
		done.Go(func() {
			for line := range work {
				request, err := http.NewRequest("PATCH", *server+line[0]+"?fieldManager=floor&force=true", strings.NewReader(line[1]))
				must(err)
				request.Header.Set("Content-Type", "application/apply-patch+yaml")
				answer, err := client.Do(request)
				must(err)
				text, err := io.ReadAll(answer.Body)
				must(err)
				answer.Body.Close()
				if answer.StatusCode/100 != 2 || answer.ProtoMajor != 2 {
					must(fmt.Errorf("%s: %s %s %s", line[0], answer.Proto, answer.Status, text))
				}
			}
		})
	}
	for _, line := range lines {
		work <- line
	}
	close(work)
	done.Wait()
	took := time.Since(start).Seconds()
	var use syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	cpu := float64(use.Utime.Sec+use.Stime.Sec) + float64(use.Utime.Usec+use.Stime.Usec)/1e6
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{"requests": len(lines), "seconds": took, "cpu": cpu}))
}
