package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pki is the certificate authority of one cluster. Its files stay in the folder, so a second start
// on the same folder serves the same clients.
type pki struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

// openPKI reads the authority of dir, or makes one.
func openPKI(dir string) (*pki, error) {
	p := &pki{dir: dir}
	if err := os.MkdirAll(p.path("users"), 0o700); err != nil {
		return nil, err
	}
	certPEM, err := os.ReadFile(p.path("ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, p.make()
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(p.path("ca.key"))
	if err != nil {
		return nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s: ca.crt or ca.key is not PEM", dir)
	}
	if p.cert, err = x509.ParseCertificate(certBlock.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path("ca.crt"), err)
	}
	if p.key, err = x509.ParseECPrivateKey(keyBlock.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path("ca.key"), err)
	}
	return p, nil
}

func (p *pki) make() error {
	var err error
	if p.key, err = p.newKey("ca.key"); err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "leeboard test cluster"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if p.cert, err = p.sign(template, template, p.key, "ca.crt"); err != nil {
		return err
	}
	if _, err = p.newKey("service-account.key"); err != nil {
		return err
	}
	return p.issue("server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	})
}

func (p *pki) newKey(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, os.WriteFile(p.path(name), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

func (p *pki) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, name string) (*x509.Certificate, error) {
	var err error
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(10 * 365 * 24 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, p.key)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(p.path(name), block, 0o600); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// issue leaves name.crt and name.key.
func (p *pki) issue(name string, template *x509.Certificate) error {
	key, err := p.newKey(name + ".key")
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	_, err = p.sign(template, p.cert, key, name+".crt")
	return err
}

// client leaves the certificate of a user, and a kubeconfig that carries it, and returns the path
// of the latter.
func (p *pki) client(user string, groups []string, url string) (string, error) {
	name := fileName(user)
	err := p.issue(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return "", err
	}
	cert, err := os.ReadFile(p.path(name + ".crt"))
	if err != nil {
		return "", err
	}
	key, err := os.ReadFile(p.path(name + ".key"))
	if err != nil {
		return "", err
	}
	return p.kubeconfig(name, user, url, fmt.Sprintf("    client-certificate-data: %s\n    client-key-data: %s\n",
		base64.StdEncoding.EncodeToString(cert), base64.StdEncoding.EncodeToString(key)))
}

// token leaves a kubeconfig with a bearer token of a user, and returns its path and the token's
// line for --token-auth-file.
func (p *pki) token(user string, groups []string, url string) (path, line string, err error) {
	random := make([]byte, 24)
	if _, err = rand.Read(random); err != nil {
		return "", "", err
	}
	token := hex.EncodeToString(random)
	path, err = p.kubeconfig(fileName(user), user, url, "    token: "+token+"\n")
	return path, fmt.Sprintf("%s,%s,%s,\"%s\"\n", token, user, user, strings.Join(groups, ",")), err
}

func (p *pki) kubeconfig(name, user, url, credential string) (string, error) {
	ca, err := os.ReadFile(p.path("ca.crt"))
	if err != nil {
		return "", err
	}
	path := p.path(name + ".kubeconfig")
	return path, os.WriteFile(path, []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: %s
    certificate-authority-data: %s
contexts:
- name: test
  context: {cluster: test, user: %q}
users:
- name: %q
  user:
%s`, url, base64.StdEncoding.EncodeToString(ca), user, user, credential)), 0o600)
}

// fileName is where the files of a user lie, whatever the name ("system:serviceaccount:a:b").
func fileName(user string) string {
	return "users/" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '_'
	}, user)
}
