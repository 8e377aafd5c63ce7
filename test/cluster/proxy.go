package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Proxy stands between one server and the database, to cut their connection as
// a network does.
type Proxy struct {
	Addr  string // where the server connects
	proxy *toxiproxy.Proxy
}

// NewProxy starts a proxy in front of a database.
func NewProxy(name, upstream string) (*Proxy, error) {
	addr, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, name, addr, upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start the proxy of %s: %w", name, err)
	}
	return &Proxy{Addr: addr, proxy: p}, nil
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() { p.proxy.Stop() }

// Cut breaks the open connections; new ones are possible.
func (p *Proxy) Cut() error {
	p.proxy.Stop()
	return p.proxy.Start()
}

// Blackhole breaks the open connections and swallows whatever comes through new
// ones, without an answer and without an end: a partition.
func (p *Proxy) Blackhole() error {
	if err := p.swallow(); err != nil {
		return err
	}
	return p.Cut()
}

// Swallow keeps the open connections but lets nothing through any more, in
// either direction: packets that go nowhere.
func (p *Proxy) Swallow() error { return p.swallow() }

func (p *Proxy) swallow() error {
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name":"hole-%s","type":"timeout","stream":"%s","toxicity":1,"attributes":{"timeout":0}}`, stream, stream)
		if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("swallow %s: %w", stream, err)
		}
	}
	return nil
}

// Heal lets everything through again, on new connections.
func (p *Proxy) Heal() error {
	p.proxy.Toxics.ResetToxics(context.Background())
	return p.Cut()
}
