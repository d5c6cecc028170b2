package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// First argument of a child: which program it is.
const (
	roleServer  = "apiserver"
	roleManager = "controllers"
)

// child is this program, run again in another role.
type child struct {
	role string
	log  string
	cmd  *exec.Cmd
	told atomic.Bool // to end
	done chan struct{}
}

// spawner starts every child from one thread that lives as long as the program: the kernel kills
// a child with PR_SET_PDEATHSIG when the thread that made it ends.
type spawner struct{ jobs chan func() }

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

func (s *spawner) start(log, role string, args []string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &child{role: role, log: log, done: make(chan struct{})}
	p.cmd = exec.Command("/proc/self/exe", append([]string{role}, args...)...)
	p.cmd.Args[0] = "leeboard-cluster"
	p.cmd.Stdout = out
	p.cmd.Stderr = out
	// A group of its own: a terminal's Ctrl-C is for the parent, which ends its children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	s.jobs <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *child) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// end returns once the child is gone; one that is slow to obey is killed.
func (p *child) end(sig syscall.Signal) {
	p.told.Store(true)
	p.signal(sig)
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// failure tells how a child ended, with the last lines that it wrote.
func (p *child) failure() error {
	return fmt.Errorf("%s: %s; %s ends with:\n%s", p.role, p.cmd.ProcessState, p.log, tail(p.log, 2000))
}

func tail(path string, size int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, end-size), io.SeekStart)
	}
	text, _ := io.ReadAll(f)
	if i := bytes.IndexByte(text, '\n'); i >= 0 && int64(len(text)) == size {
		text = text[i+1:]
	}
	return bytes.TrimSpace(text)
}
