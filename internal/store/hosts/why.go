package hosts

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Why tells people why no connection could be made to a server, and what to do
// about it; both are "" where the error says neither. product is what should listen
// there, with its article. foreign says of an error that it is of something else
// that listens, or of a server that is going.
func Why(err error, product string, foreign func(error) bool) (cause, next string) {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	var dial *net.OpError
	look := "look at the host and the port"
	switch {
	case errors.As(err, &name):
		return "its host " + name.Name + " is not known", "look at the host in the URL, and at the name service"
	case errors.As(err, &certificate):
		return "its certificate is not trusted: " + certificate.Err.Error(), "let this host trust who signed it, and name the host in the URL as the certificate does"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", "start the database server, or " + look
	case errors.Is(err, os.ErrNotExist):
		return "there is no such socket", "start the database server, or name its socket"
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout():
		return "the host does not answer", look + ", and for a firewall in between"
	case errors.As(err, &dial) && dial.Op == "dial":
		return dial.Err.Error(), look
	case foreign(err):
		return "what listens there does not answer as " + product + " does", "is it " + product + "? " + look
	case errors.As(err, &network) && network.Timeout():
		return "what listens there took the connection and says nothing", "is it " + product + ", and well? " + look
	}
	return "", ""
}

// Reason is why a host is passed over, or a database cannot be worked with: found
// by looking, not by an error of the network.
type Reason struct {
	Cause string // follows the host's name or the database's
	Next  string // what to do about it; "" where nothing is known
}

// Error implements error.
func (r *Reason) Error() string { return r.Cause }

// At says which host an error is of.
type At struct {
	Host string
	Err  error
}

// Error implements error.
func (a *At) Error() string { return a.Host + ": " + a.Err.Error() }

// Unwrap returns the error without its host.
func (a *At) Unwrap() error { return a.Err }

// Each asks why for each host that First names in its error, and tells them one
// after the other, and what to do about each; of a single one without its name.
func Each(err error, why func(error) (cause, next string)) (cause, next string) {
	all, several := err.(interface{ Unwrap() []error })
	if !several || len(all.Unwrap()) < 2 {
		return why(err)
	}
	var causes, steps []string
	for _, one := range all.Unwrap() {
		var at *At
		if !errors.As(one, &at) {
			return why(err)
		}
		c, n := why(one)
		if c == "" {
			c = "it does not answer"
		}
		if !strings.HasPrefix(c, at.Host+" ") {
			c = at.Host + ": " + c
		}
		causes = append(causes, c)
		if n != "" && !slices.Contains(steps, n) {
			steps = append(steps, n)
		}
	}
	return strings.Join(causes, "; "), strings.Join(steps, "; ")
}
