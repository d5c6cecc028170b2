// Command cluster runs a real Kubernetes control plane on loopback, for tests.
//
// One binary is three processes: this one holds an embedded etcd, a control endpoint and the
// stand-in for kubelet and scheduler (standin.go); it starts itself again as kube-apiserver and
// as kube-controller-manager, so that a test can stop, kill or freeze the API server while etcd
// keeps its data. It prints one line of JSON once everything answers and runs until SIGTERM,
// SIGINT or, with --until-eof, until its standard input ends. Its children die with it, however
// it dies.
//
// tests/e2e/cluster.py is the helper that tests use; `./dev cluster` starts one by hand.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	// What follows the first word is the real program's own command line.
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case roleServer:
			os.Args = append([]string{"kube-apiserver"}, os.Args[2:]...)
			os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
		case roleManager:
			os.Args = append([]string{"kube-controller-manager"}, os.Args[2:]...)
			os.Exit(cli.Run(manager.NewControllerManagerCommand()))
		}
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run() error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder for data, certificates and logs; made when missing")
	port := flags.Int("port", 0, "port of the API server on 127.0.0.1; 0 takes a free one")
	eof := flags.Bool("until-eof", false, "end when standard input does")
	temporary := flags.Bool("temporary", false, "remove the folder at the end")
	if err := flags.Parse(os.Args[1:]); err == flag.ErrHelp {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument '%s'", flags.Arg(0))
	}
	if *dir == "" {
		return fmt.Errorf("--dir is missing")
	}
	path, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if *eof {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	c, err := newCluster(path, *port)
	if err != nil {
		return err
	}
	if *temporary {
		defer os.RemoveAll(path)
	}
	defer c.close()
	if err := c.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to end while still starting
		}
		return err
	}
	line, err := json.Marshal(c.status())
	if err != nil {
		return err
	}
	fmt.Println(string(line))

	select {
	case <-ctx.Done():
		return nil
	case err := <-c.failed:
		return err
	}
}
