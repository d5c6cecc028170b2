package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/version"
)

// The users that kubeconfigs are made for. Each is told apart in the audit log by its name.
const (
	userAdmin   = "admin"          // the tests' own hands
	userLee     = "leeboard"       // the program under test
	userToken   = "leeboard-token" // the same, with a bearer token
	userManager = "system:kube-controller-manager"
	userStandIn = "stand-in"
	masters     = "system:masters"
)

// The controllers that tests need. Each more costs memory and watches at rest.
var controllers = []string{
	"clusterrole-aggregation-controller", "cronjob-controller", "daemonset-controller", "deployment-controller",
	"disruption-controller", "endpointslice-controller", "garbage-collector-controller", "job-controller",
	"namespace-controller", "persistentvolume-binder-controller", "persistentvolume-protection-controller",
	"persistentvolumeclaim-protection-controller", "replicaset-controller", "resourcequota-controller",
	"serviceaccount-controller", "statefulset-controller", "ttl-after-finished-controller",
}

// What is recorded: who asked what of which object, once as it starts (watches) and once as it ends.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Metadata
`

const (
	readyLimit = 90 * time.Second
	stopLimit  = 5 * time.Second
)

// cluster is the whole of it. The API server, the controller manager and the stand-in come and go
// together (startServer, stopServer); etcd, the port and the certificates stay.
type cluster struct {
	dir   string
	url   string
	port  int
	lock  *os.File
	hold  int // socket that keeps the port ours while no API server listens
	pki   *pki
	etcd  *embed.Etcd
	http  *http.Client
	spawn *spawner

	configs map[string]string // user -> path of its kubeconfig
	failed  chan error        // why the cluster can't go on
	control *http.Server
	address string // of the control endpoint

	mu      sync.Mutex // held while the state below changes
	server  *child     // nil while stopped
	manager *child
	standIn *standIn
	frozen  bool
}

func newCluster(dir string, port int) (*cluster, error) {
	c := &cluster{dir: dir, port: port, hold: -1, configs: map[string]string{}, failed: make(chan error, 4), spawn: newSpawner()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if c.lock, err = os.OpenFile(c.path("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(c.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		c.lock.Close()
		return nil, fmt.Errorf("%s: another cluster runs here", dir)
	}
	return c, nil
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// start returns once every part answers and the controllers have begun to act.
func (c *cluster) start(ctx context.Context) error {
	var err error
	if c.pki, err = openPKI(c.path("pki")); err != nil {
		return err
	}
	if err := c.reservePort(); err != nil {
		return err
	}
	c.url = "https://127.0.0.1:" + strconv.Itoa(c.port)
	if err := c.makeUsers(); err != nil {
		return err
	}
	if err := os.WriteFile(c.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.pki.cert)
	c.http = &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	if err := c.startEtcd(ctx); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if err := c.startControl(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.startServer(ctx); err != nil {
		return err
	}
	return c.standIn.awaitControllers(ctx)
}

// reservePort binds the port without listening. A second socket with SO_REUSEADDR may bind and
// listen beside it; nobody is handed the port as a free one; and while no API server listens,
// connections are refused as they should be.
func (c *cluster) reservePort() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c.hold = fd
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: c.port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("port %d: %w", c.port, err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return err
	}
	c.port = name.(*syscall.SockaddrInet4).Port
	return nil
}

func (c *cluster) makeUsers() error {
	for user, groups := range map[string][]string{
		userAdmin: {masters}, userLee: {masters}, userManager: {masters}, userStandIn: {masters},
	} {
		path, err := c.pki.client(user, groups, c.url)
		if err != nil {
			return err
		}
		c.configs[user] = path
	}
	path, line, err := c.pki.token(userToken, []string{masters}, c.url)
	if err != nil {
		return err
	}
	c.configs[userToken] = path
	return os.WriteFile(c.path("tokens.csv"), []byte(line), 0o600)
}

// startEtcd: a crash of the machine may lose this data, a crash of the program must not.
func (c *cluster) startEtcd(ctx context.Context) error {
	any := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	self := url.URL{Scheme: "http", Host: "127.0.0.1:2380"} // only a name: there are no peers
	cfg := embed.NewConfig()
	cfg.Name = "etcd"
	cfg.Dir = c.path("etcd")
	cfg.ListenClientUrls = []url.URL{any}
	cfg.AdvertiseClientUrls = []url.URL{any}
	cfg.ListenPeerUrls = []url.URL{any}
	cfg.AdvertisePeerUrls = []url.URL{self}
	cfg.InitialCluster = cfg.Name + "=" + self.String()
	cfg.UnsafeNoFsync = true
	cfg.SnapshotCount = 2000
	cfg.SnapshotCatchUpEntries = 500
	cfg.MaxWalFiles = 1
	cfg.MaxSnapFiles = 1
	cfg.EnableGRPCGateway = false
	cfg.TickMs = 100
	cfg.ElectionMs = 500
	cfg.WarningUnaryRequestDuration = 5 * time.Second
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{c.path("etcd.log")}
	var err error
	if c.etcd, err = embed.StartEtcd(cfg); err != nil {
		return err
	}
	select {
	case <-c.etcd.Server.ReadyNotify():
	case err := <-c.etcd.Err():
		return err
	case <-time.After(readyLimit):
		return errors.New("not ready in " + readyLimit.String())
	case <-ctx.Done():
		return ctx.Err()
	}
	go func() {
		if err := <-c.etcd.Err(); err != nil {
			c.failed <- fmt.Errorf("etcd: %w", err)
		}
	}()
	return nil
}

func (c *cluster) serverArgs() []string {
	pki := c.pki.path
	return []string{
		"--etcd-servers=http://" + c.etcd.Clients[0].Addr().String(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.port),
		"--tls-cert-file=" + pki("server.crt"),
		"--tls-private-key-file=" + pki("server.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--token-auth-file=" + c.path("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("service-account.key"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		// Pods need no token, and a node that nobody reports on is not tainted.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		// Nothing that writes by the clock: no lease of this server, no endpoints of it.
		"--feature-gates=APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",
		"--endpoint-reconciler-type=none",
		"--enable-priority-and-fairness=false",
		"--audit-policy-file=" + c.path("audit-policy.yaml"),
		"--audit-log-path=" + c.path("audit.log"),
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=100000",
		"--profiling=false",
		"--v=0",
	}
}

func (c *cluster) managerArgs() []string {
	return []string{
		"--kubeconfig=" + c.configs[userManager],
		"--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false",
		"--secure-port=0",
		"--use-service-account-credentials=false",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--pvclaimbinder-sync-period=10m",
		"--flex-volume-plugin-dir=" + c.path("flex"),
		"--enable-dynamic-provisioning=true",
		"--profiling=false",
		"--v=0",
	}
}

// startServer needs the lock.
func (c *cluster) startServer(ctx context.Context) (err error) {
	if c.server != nil {
		return errors.New("the API server runs already")
	}
	defer func() {
		if err != nil {
			c.stopServer(syscall.SIGKILL)
		}
	}()
	if c.server, err = c.spawn.start(c.path("apiserver.log"), roleServer, c.serverArgs()); err != nil {
		return err
	}
	if err := c.awaitServer(ctx); err != nil {
		return err
	}
	c.watch(c.server)
	if c.manager, err = c.spawn.start(c.path("controllers.log"), roleManager, c.managerArgs()); err != nil {
		return err
	}
	c.watch(c.manager)
	c.standIn, err = startStandIn(c.config(userStandIn))
	return err
}

// watch reports a child that ends without having been told to.
func (c *cluster) watch(p *child) {
	go func() {
		<-p.done
		if !p.told.Load() {
			c.failed <- p.failure()
		}
	}()
}

func (c *cluster) awaitServer(ctx context.Context) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	pause := time.NewTicker(25 * time.Millisecond)
	defer pause.Stop()
	last := errors.New("no answer")
	for {
		answer, err := c.http.Get(c.url + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			last = errors.New("/readyz answers " + answer.Status)
		} else {
			last = err
		}
		select {
		case <-pause.C:
		case <-c.server.done:
			return c.server.failure()
		case <-limit.C:
			return fmt.Errorf("the API server is not ready in %s: %w (%s)", readyLimit, last, c.path("apiserver.log"))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopServer needs the lock.
func (c *cluster) stopServer(sig syscall.Signal) {
	if c.standIn != nil {
		c.standIn.stop()
		c.standIn = nil
	}
	if c.manager != nil {
		c.manager.end(syscall.SIGKILL)
		c.manager = nil
	}
	if c.server != nil {
		if c.frozen {
			c.server.signal(syscall.SIGCONT)
			c.frozen = false
		}
		c.server.end(sig)
		c.server = nil
	}
}

func (c *cluster) close() {
	if c.control != nil {
		c.control.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopServer(syscall.SIGKILL)
	if c.etcd != nil {
		c.etcd.Close()
	}
	if c.hold >= 0 {
		syscall.Close(c.hold)
	}
	c.lock.Close()
}

func (c *cluster) config(user string) *rest.Config {
	return &rest.Config{
		Host:      c.url,
		UserAgent: "leeboard-test/" + user,
		QPS:       -1,
		ContentConfig: rest.ContentConfig{
			ContentType:        "application/vnd.kubernetes.protobuf",
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		},
		TLSClientConfig: rest.TLSClientConfig{
			CAFile:   c.pki.path("ca.crt"),
			CertFile: c.pki.path(fileName(user) + ".crt"),
			KeyFile:  c.pki.path(fileName(user) + ".key"),
		},
	}
}

// status is what callers learn: the line at the start, and the answer to every command.
func (c *cluster) status() map[string]any {
	pids := map[string]int{"etcd": os.Getpid()}
	for name, p := range map[string]*child{"apiserver": c.server, "controllers": c.manager} {
		if p != nil {
			pids[name] = p.cmd.Process.Pid
		}
	}
	return map[string]any{
		"kubeconfig":      c.configs[userLee],
		"adminKubeconfig": c.configs[userAdmin],
		"tokenKubeconfig": c.configs[userToken],
		"users":           c.pki.path("users"),
		"ca":              c.pki.path("ca.crt"),
		"url":             c.url,
		"control":         c.address,
		"audit":           c.path("audit.log"),
		"dir":             c.dir,
		"version":         version.Get().GitVersion,
		"running":         c.server != nil,
		"frozen":          c.frozen,
		"pid":             os.Getpid(),
		"pids":            pids,
		"time":            metav1.Now().UTC().Format(time.RFC3339),
	}
}
