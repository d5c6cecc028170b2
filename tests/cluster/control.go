package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// startControl serves, on loopback, what a test may do to the cluster. Each answer is the
// cluster's status as JSON (of /user: the kubeconfig), or 409 and a sentence.
//
//	GET  /status
//	POST /stop-apiserver    SIGTERM: clients see an orderly end. Connections are then refused
//	POST /kill-apiserver    SIGKILL
//	POST /start-apiserver   on the same port; answers once it is ready
//	POST /freeze            SIGSTOP: the API server accepts connections and answers nothing
//	POST /thaw
//	POST /user?name=N&group=G...   a client certificate for one more user
func (c *cluster) startControl() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.address = "http://" + listener.Addr().String()
	mux := http.NewServeMux()
	command := func(pattern string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c.mu.Lock()
			defer c.mu.Unlock()
			answer, err := do(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			if answer == nil {
				answer = c.status()
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	stop := func(sig syscall.Signal) func(*http.Request) (any, error) {
		return func(*http.Request) (any, error) {
			if c.server == nil {
				return nil, errors.New("the API server is stopped already")
			}
			c.stopServer(sig)
			return nil, nil
		}
	}
	pause := func(sig syscall.Signal, frozen bool) func(*http.Request) (any, error) {
		return func(*http.Request) (any, error) {
			if c.server == nil {
				return nil, errors.New("the API server is stopped")
			}
			c.server.signal(sig)
			c.frozen = frozen
			return nil, nil
		}
	}
	command("GET /status", func(*http.Request) (any, error) { return nil, nil })
	command("POST /stop-apiserver", stop(syscall.SIGTERM))
	command("POST /kill-apiserver", stop(syscall.SIGKILL))
	command("POST /start-apiserver", func(r *http.Request) (any, error) { return nil, c.startServer(r.Context()) })
	command("POST /freeze", pause(syscall.SIGSTOP, true))
	command("POST /thaw", pause(syscall.SIGCONT, false))
	command("POST /user", func(r *http.Request) (any, error) {
		name := r.URL.Query().Get("name")
		if name == "" {
			return nil, errors.New("name is missing")
		}
		path, err := c.pki.client(name, r.URL.Query()["group"], c.url)
		return map[string]string{"kubeconfig": path}, err
	})
	c.control = &http.Server{Handler: mux}
	go func() { _ = c.control.Serve(listener) }()
	return nil
}
