package hosts

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
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
